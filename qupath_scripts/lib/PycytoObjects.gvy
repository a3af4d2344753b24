/*
 * What pycyto makes of objects, and how it knows its own.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.geom.Point2
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathObjects
import qupath.lib.objects.classes.PathClass
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.PolygonROI
import qupath.lib.roi.ROIs
import qupath.lib.roi.interfaces.ROI

class PycytoObjects {
    // Marks on objects, as in Python.
    static final String RUN_MARK = 'pycyto: run'
    static final String UPDATED_MARK = 'pycyto: updated by'
    private static final String PROBABILITY = 'pycyto: P('

    @CompileStatic
    static PathObject detection(ROI roi, String id, String label, Map<String, Double> values) {
        PathObject made = PathObjects.createDetectionObject(roi)
        made.setID(UUID.fromString(id))
        classify(made, label, values)
        return made
    }

    /** Gives an object a class with the probabilities and the mark of a run, in place of those of an earlier one. */
    @CompileStatic
    static void classify(PathObject object, String label, Map<String, Double> values) {
        unclassify(object)
        object.setPathClass(PathClass.fromString(label))
        def measurements = object.measurementList
        for (Map.Entry<String, Double> value : values.entrySet()) {
            measurements.put(value.key, value.value.doubleValue())
        }
        measurements.close()
    }

    /** Takes the class away, and what a run has written about it. */
    @CompileStatic
    static void unclassify(PathObject object) {
        object.resetPathClass()
        def measurements = object.measurementList
        if (measurements.isEmpty()) {
            return
        }
        for (String name : new ArrayList<String>(measurements.measurementNames)) {
            if (name == UPDATED_MARK || name.startsWith(PROBABILITY)) {
                measurements.remove(name)
            }
        }
    }

    @CompileStatic
    static boolean hasMark(PathObject object, String name, double mark) {
        return object.measurementList.get(name) == mark
    }

    /** The mark of the run that gave an object its class, empty where none did. */
    @CompileStatic
    static String updatedBy(PathObject object) {
        double mark = object.measurementList.get(UPDATED_MARK)
        return Double.isNaN(mark) ? '' : Long.toString(mark as long)
    }

    @CompileStatic
    static String classOf(PathObject object) {
        return object.pathClass == null ? '' : object.pathClass.toString()
    }

    /** Whether an object has no class, or still the one that a run found most probable: nobody has decided on it. */
    @CompileStatic
    static boolean isUndecided(PathObject object) {
        if (object.pathClass == null) {
            return true
        }
        def measurements = object.measurementList
        if (Double.isNaN(measurements.get(UPDATED_MARK))) {
            return false
        }
        double own = measurements.get("${PROBABILITY}${classOf(object)})".toString())
        return !Double.isNaN(own) && measurements.measurementNames.every { String name ->
            !name.startsWith(PROBABILITY) || measurements.get(name) <= own
        }
    }

    @CompileStatic
    static ROI circle(double x, double y, double radius, int z, int t) {
        return ROIs.createEllipseROI(x - radius, y - radius, 2 * radius, 2 * radius, ImagePlane.getPlane(z, t))
    }

    /** Whether an object's outline (or its nucleus) has its centroid within half a pixel of (x, y). */
    @CompileStatic
    static boolean isAt(PathObject object, double x, double y) {
        if (near(object.getROI(), x, y)) {
            return true
        }
        def nucleus = object instanceof PathCellObject ? ((PathCellObject) object).getNucleusROI() : null
        return nucleus != null && near(nucleus, x, y)
    }

    @CompileStatic
    private static boolean near(ROI roi, double x, double y) {
        return Math.hypot(roi.centroidX - x, roi.centroidY - y) <= 0.5d
    }

    /**
     * Mean of the vertices (x, y) and area: what tells whether an outline was moved or reshaped. QuPath's own
     * figures of a polygon cost far more, since they are right for one that crosses itself too.
     */
    @CompileStatic
    static double[] placeOf(ROI roi) {
        if (!(roi instanceof PolygonROI)) {
            return [roi.centroidX, roi.centroidY, area(roi)] as double[]
        }
        List<Point2> points = roi.allPoints
        double x = 0, y = 0, twice = 0
        Point2 last = points.get(points.size() - 1)
        for (Point2 point : points) {
            x += point.x
            y += point.y
            twice += last.x * point.y - point.x * last.y
            last = point
        }
        return [x / points.size(), y / points.size(), Math.abs(twice / 2)] as double[]
    }

    /** In square pixels; 0 for points and lines. */
    @CompileStatic
    static double area(ROI roi) {
        double area = roi.getArea()
        return roi.isArea() && Double.isFinite(area) ? area : 0.0d
    }
}
