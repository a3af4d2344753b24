/*
 * Who gave an object its class, with what help, as "pycyto export" tells it (pycyto/steps/labelling.py):
 * a class that came of a review is the reviewer's, who had a model's help.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject

@CompileStatic
class PycytoLabels {
    private static final Map<String, Object> BY_HAND = [label_origin: 'manual', selected_by: 'manual', decided_at: Pycyto.UNKNOWN] as Map<String, Object>

    private final PycytoDecisions decisions
    private final String imageId
    private final String scheme

    PycytoLabels(PycytoImage image, String scheme) {
        decisions = new PycytoDecisions(image.project, null)
        imageId = image.id
        this.scheme = scheme
    }

    /** Columns of the manifest that tell how the label of an object, or of one of its points, came about. */
    Map<String, Object> columnsOf(PathObject object, Integer pointIndex, String label) {
        String key = PycytoCell.keyOf(imageId, object.getID().toString(), pointIndex)
        Map<String, Object> decided = decisions.labelling(key)
        // A cell that had this class before anybody reviewed it owes it to no review.
        if (decided == null || labelOf(decided.get('label')) != label || labelOf(decisions.of(key).first().get('old_class')) == label) {
            return BY_HAND
        }
        return [
            label_origin: decided.get('shown') == 'prediction' ? 'model_assisted' : 'manual',
            selected_by: decided.get('run'), annotator: decided.get('reviewer'),
            decided_at: (decided.get('at') as String).replace('Z', '+00:00'),
        ] as Map<String, Object>
    }

    private String labelOf(Object className) {
        return PycytoSelection.labelOf(scheme, className as String)
    }
}
