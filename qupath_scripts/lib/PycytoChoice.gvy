/*
 * The cells that are selected in an image.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import qupath.lib.objects.PathObject

class PycytoChoice {
    final List<String> ids
    final String objects  // which kinds they are, as "pycyto predict --objects" says it

    private PycytoChoice(Collection<PathObject> cells) {
        ids = cells*.getID()*.toString()
        objects = cells.every { it.isAnnotation() } ? 'annotations' : cells.any { it.isAnnotation() } ? 'all' : 'detections'
    }

    /** Those of the open image, or null if nothing is selected; an image that no window shows has no selection. */
    static PycytoChoice of(PycytoImage image) {
        def selected = image.isOpen() ? image.data.hierarchy.selectionModel.selectedObjects.findAll { !it.isRootObject() } : []
        if (!selected) {
            return null
        }
        def cells = selected.findAll { reasonAgainst(it) == null }
        if (!cells) {
            def reasons = selected.countBy { reasonAgainst(it) }.collect { reason, n -> "${n} ${reason}" }.join(', ')
            Pycyto.refuse("Nothing that is selected is a cell (${reasons}). Select annotations of cells, or nothing at all: then all cells are predicted.", 'bad input')
        }
        return new PycytoChoice(cells)
    }

    /** What can be told at once; the rest, as the size of an outline, is for pycyto to say. */
    private static String reasonAgainst(PathObject object) {
        return object.isTile() || object.isTMACore() ? PycytoSelection.TILE
            : !Double.isNaN(object.measurementList.get(PycytoObjects.RUN_MARK)) ? PycytoSelection.OURS
            : null
    }
}
