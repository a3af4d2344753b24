/*
 * Which objects are cells, which class is which label, and why an object is left out.
 * Lists and words marked "as in Python" are held equal to the Python package by a test.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.regex.Pattern
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoSelection {
    // Label schemes, as in Python: name of the scheme -> class -> other spellings.
    static final Map<String, Map<String, List<String>>> SCHEMES = [
        bethesda: [
            'NILM': ['Negative for intraepithelial lesion or malignancy'],
            'ASC-US': ['ASCUS'],
            'LSIL': ['LGSIL', 'Low-grade squamous intraepithelial lesion'],
            'HSIL': ['HGSIL', 'High-grade squamous intraepithelial lesion'],
        ],
        ps3c: [
            'rubbish': [],
            'healthy': [],
            'bothcells': [],
            'unhealthy': [],
        ],
    ]

    // Colours of the classes (red, green, blue), as in Python.
    private static final Map<String, Map<String, List<Integer>>> COLOURS = [
        bethesda: [
            'NILM': [76, 175, 80],
            'ASC-US': [255, 193, 7],
            'LSIL': [255, 112, 0],
            'HSIL': [211, 47, 47],
        ],
        ps3c: [
            'rubbish': [120, 120, 120],
            'healthy': [76, 175, 80],
            'bothcells': [255, 193, 7],
            'unhealthy': [211, 47, 47],
        ],
    ]

    // Reasons for which an object is no cell, as in Python.
    static final String NOT_ASKED_FOR = 'other kind of object'
    static final String TILE = 'tile or TMA core'
    static final String OURS = 'made by pycyto'
    static final String OUR_CLASS = 'classified by pycyto'
    static final String TISSUE = 'tissue outline'
    static final String NO_CLASS = 'no class'
    static final String COPY = 'copy of another object'
    static final String SAME_ID = 'same ID as another object'
    static final String OUTSIDE_SCHEME = 'class outside the scheme'
    static final String OTHER_PLANE = 'z or t plane'
    static final String OUTSIDE = 'outside the image'

    /** The classes of a scheme with their colours, the least severe first. */
    static Map<String, List<Integer>> coloursOf(String scheme) {
        checkScheme(scheme)
        return COLOURS[scheme]
    }

    /** Those of which none of these classes is a spelling. */
    static Map<String, List<Integer>> missingClasses(String scheme, Collection<String> classNames) {
        def there = classNames.collect { labelOf(scheme, it) } as Set
        return coloursOf(scheme).findAll { name, rgb -> !(name in there) }
    }

    private static void checkScheme(String scheme) {
        if (!SCHEMES.containsKey(scheme)) {
            Pycyto.refuse("There is no label scheme '${scheme}'. Known are: ${SCHEMES.keySet().join(', ')}.")
        }
    }

    /** The class of a scheme that a name is a spelling of, or null. */
    static String labelOf(String scheme, String className) {
        checkScheme(scheme)
        return className == null ? null : SCHEMES[scheme].find { name, aliases ->
            spelling(name) == spelling(className) || aliases.any { spelling(it) == spelling(className) }
        }?.key
    }

    private static final Pattern MARKS = Pattern.compile('(?U)[\\s_\\-./]+')

    private static String spelling(String text) {
        return MARKS.matcher(text).replaceAll('').toLowerCase(Locale.ROOT)
    }

    /** Why objects that share their ID are left out, as in Python: one that was imported twice is one cell. */
    static Map<PathObject, String> repeated(List<PathObject> objects) {
        Map<PathObject, String> against = new IdentityHashMap<>()
        objects.groupBy { it.getID() }.values().findAll { it.size() > 1 }.each { List<PathObject> shared ->
            boolean same = shared.collect { looks(it) }.toSet().size() == 1
            (same ? shared.tail() : shared).each { against[it] = same ? COPY : SAME_ID }
        }
        return against
    }

    private static List<Object> looks(PathObject object) {
        ROI roi = object.getROI()
        return [object.getClass(), object.pathClass?.toString(), roi.centroidX, roi.centroidY,
                roi.isPoint() ? roi.allPoints.collect { [it.x, it.y] } : null, PycytoObjects.area(roi), roi.z, roi.t]
    }

    /** Why an object is no cell whose class can be learned from, or null; in the order of Python. */
    static String reasonAgainst(PathObject object, String objects, String scheme, double largestOutline) {
        if (object.isTile() || object.isTMACore()) {
            return TILE
        }
        if (objects != 'all' && object.isAnnotation() != (objects == 'annotations')) {
            return NOT_ASKED_FOR
        }
        def measurements = object.measurementList
        if (!Double.isNaN(measurements.get(PycytoObjects.RUN_MARK))) {
            return OURS
        }
        if (!Double.isNaN(measurements.get(PycytoObjects.UPDATED_MARK))) {
            return OUR_CLASS
        }
        if (PycytoObjects.area(object.getROI()) > largestOutline * PycytoPatch.PATCH_SIZE * PycytoPatch.PATCH_SIZE) {
            return TISSUE
        }
        if (object.pathClass == null) {
            return NO_CLASS
        }
        return labelOf(scheme, object.pathClass.toString()) == null ? OUTSIDE_SCHEME : null
    }
}
