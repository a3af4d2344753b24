/*
 * Where a model and the expert differ, as measurements of the detection that shows the prediction:
 * QuPath's tables and measurement maps then find the cells that want a second look.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject

@CompileStatic
class PycytoDisagreement {
    static final String DISAGREES = 'pycyto: disagrees'
    static final String SEVERITY_DIFFERENCE = 'pycyto: severity difference'

    private final String scheme
    private final List<String> names = []  // the least severe first; empty where the scheme is not known
    private final Map<String, Integer> ranks = new HashMap<String, Integer>()  // of spellings, -1 outside the scheme

    PycytoDisagreement(String scheme) {
        this.scheme = scheme
        Map<String, List<String>> known = PycytoSelection.SCHEMES.get(scheme)
        if (known != null) {
            names.addAll(known.keySet())
        }
    }

    /** Adds to the measurements of a prediction how it differs from its source; nothing where that has no class of the scheme. */
    void measure(PathObject source, String predicted, Map<String, Double> values) {
        int annotated = rank(PycytoObjects.classOf(source)), found = rank(predicted)
        if (annotated >= 0 && found >= 0) {
            values.put(DISAGREES, annotated == found ? 0.0d : 1.0d)
            values.put(SEVERITY_DIFFERENCE, (found - annotated) as double)
        }
    }

    private int rank(String className) {
        Integer known = ranks.get(className)
        if (known == null) {
            known = names.isEmpty() || !className ? -1 : names.indexOf(PycytoSelection.labelOf(scheme, className))
            ranks.put(className, known)
        }
        return known
    }
}
