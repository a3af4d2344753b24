/*
 * What speaks for a class in a pathologist's own words: how large the nucleus is beside normal ones of
 * the same slide, how much of the cell it takes, and which adjudicated cells look most like it.
 * What the figures mean, and what not: docs/review-reasons.md.
 *
 * The rule of thumb is that of the Bethesda System (R. Nayar, D. C. Wilbur, eds., The Bethesda System for
 * Reporting Cervical Cytology, 3rd edition, Springer 2015, chapters on ASC and on squamous lesions).
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject

@CompileStatic
class PycytoReasons {
    static final String RULE_OF_THUMB = 'Bethesda, as a rule of thumb: ASC-US about 2.5 to 3 times, LSIL more than 3 times. ' +
        'HSIL nuclei can be smaller than that: a small figure never speaks against HSIL.'
    // QuPath's cell detection looks for nuclei only.
    private static final String BORDER = ' It means nothing if the border was drawn at a fixed distance from the nucleus, as QuPath\'s cell detection does.'

    final PycytoNuclei nuclei
    final PycytoSimilar similar
    private final Map<String, PathObject> byId = new HashMap<String, PathObject>()

    /**
     * Reads and measures all that is needed of one image; not on the window's thread.
     *
     * @param objects  all of the image as it is open
     * @param cells    those of the run in this image
     */
    PycytoReasons(PycytoRun run, String imageId, List<PathObject> objects, List<PycytoCell> cells) {
        for (PathObject object : objects) {
            byId.put(object.getID().toString(), object)
        }
        nuclei = new PycytoNuclei(objects, cells, run.json.get('scheme').asString)
        similar = new PycytoSimilar(run, imageId)
    }

    /** The nucleus of a cell, or null where none is outlined, or none surely its own. */
    PycytoNucleus nucleusOf(PycytoCell cell) {
        PathObject object = byId.get(cell.objectId)
        return object == null ? null : nuclei.of(object, cell.x, cell.y)
    }

    /** What the outlines of a cell say, in sentences; none where there are no outlines. */
    List<String> sentences(PycytoCell cell) {
        PycytoNucleus nucleus = nucleusOf(cell)
        if (nucleus == null) {
            return []
        }
        String part = String.format(Locale.ROOT, 'N:C ratio %.2f (area of the nucleus / area of the whole cell, as outlined).', nucleus.partOfCell) +
            (nucleus.isDetected ? BORDER : '')
        if (nuclei.normal == null) {
            return ["How large normal nuclei are on this slide cannot be said: fewer than ${PycytoNuclei.ENOUGH} of intermediate or NILM cells are outlined.".toString(), part]
        }
        String size = String.format(Locale.ROOT, 'Nucleus %.1f times as large as normal: the median of %d %s on this slide.', nuclei.timesNormal(nucleus), nuclei.count, nuclei.normal)
        return [size, part, RULE_OF_THUMB]
    }
}
