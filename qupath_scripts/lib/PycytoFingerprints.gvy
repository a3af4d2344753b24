/*
 * What must be the same before and after a write: every object that it neither makes nor classifies.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

@CompileStatic
class PycytoFingerprints {
    private static final int ID_LENGTH = 36  // of a UUID

    /** One text per object, beginning with its ID: quick enough for a hundred thousand. */
    static List<String> of(List<PathObject> objects) {
        List<String> found = new ArrayList<String>(objects.size())
        for (PathObject object : objects) {
            PathObject parent = object.getParent()
            ROI roi = object.getROI()
            found.add(String.join('|', object.getID().toString(), object.getClass().getSimpleName(), roi.getClass().getSimpleName(),
                Integer.toString(roi.z), Integer.toString(roi.t), PycytoObjects.classOf(object), object.getName() ?: '',
                Boolean.toString(object.isLocked()), Integer.toString(object.measurementList.size()),
                parent == null || parent.isRootObject() ? '' : parent.getID().toString()))
        }
        return found
    }

    /** The same with every field of the object, which takes its time. */
    static List<String> ofAllFields(List<PathObject> objects) {
        List<String> quick = of(objects)
        List<String> found = new ArrayList<String>(objects.size())
        for (int i = 0; i < objects.size(); i++) {
            found.add(quick[i] + '|' + objects[i].getColor() + '|' + PycytoCells.feature(objects[i]))
        }
        return found
    }

    /** Those of objects with other IDs than these, in an order of their own. */
    static List<String> without(List<String> fingerprints, Set<String> ids) {
        List<String> found = new ArrayList<String>(fingerprints.size())
        for (String text : fingerprints) {
            if (!ids.contains(text.substring(0, ID_LENGTH))) {
                found.add(text)
            }
        }
        return found.sort()
    }
}
