/*
 * Nuclei of an image: which is whose, and how large normal ones are on this very slide. All figures
 * are ratios of areas, for which no pixel size is needed. How to read them: docs/review-reasons.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import org.locationtech.jts.geom.Envelope
import org.locationtech.jts.index.strtree.STRtree
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathObject
import qupath.lib.roi.RectangleROI
import qupath.lib.roi.interfaces.ROI

@CompileStatic
class PycytoNuclei {
    static final int ENOUGH = 5  // nuclei: the median of fewer may be that of an odd one
    private static final double AS_LARGE = 2.0d  // an outline and a QuPath cell object of one cell differ by less
    private static final String NORMAL = 'NILM'

    String normal = null  // whose nuclei are taken for normal, in words; null where there are too few
    int count = 0         // of them
    double normalArea = Double.NaN  // their median, in square pixels

    private final STRtree outlines = new STRtree()  // of QuPath cell objects, and of objects of the class "nucleus"

    /**
     * Looks at all objects once; with 100,000 of them this takes a moment, so not on the window's thread.
     *
     * @param cells  of a run, for what is predicted NILM
     */
    PycytoNuclei(List<PathObject> objects, List<PycytoCell> cells, String scheme) {
        for (PathObject object : objects) {
            if (object.isCell() || isNucleus(object)) {
                outlines.insert(box(object.getROI()), object)
            }
        }
        outlines.build()
        if (!outlines.isEmpty()) {
            chooseNormal(objects, cells, scheme)
        }
    }

    /** How many times as large as a normal one a nucleus is; NaN where nothing can be said. */
    double timesNormal(PycytoNucleus nucleus) {
        return nucleus.area / normalArea
    }

    // --- which nucleus is whose --------------------------------------------------------------------

    /** The nucleus of a cell that is at (x, y), or null where none is surely its own. */
    PycytoNucleus of(PathObject object, double x, double y) {
        return object.isCell() ? PycytoNucleus.of((PathCellObject) object) : detected(object.getROI(), x, y) ?: drawn(object.getROI())
    }

    /** That of the only QuPath cell object in this place, if it is about as large as what the expert has drawn. */
    private PycytoNucleus detected(ROI roi, double x, double y) {
        List<PathObject> there = near(new Envelope(x, x, y, y), roi).findAll { PathObject it -> it.isCell() && it.getROI().contains(x, y) }
        if (there.size() != 1) {
            return null
        }
        PathCellObject cell = (PathCellObject) there[0]
        double factor = roi.isPoint() ? 1.0d : PycytoObjects.area(cell.getROI()) / PycytoObjects.area(roi)
        return factor < AS_LARGE && factor > 1 / AS_LARGE ? PycytoNucleus.of(cell) : null
    }

    /** That of the only object of the class "nucleus" within an outline. A box around a cell is none. */
    private PycytoNucleus drawn(ROI roi) {
        if (!roi.isArea() || roi instanceof RectangleROI) {
            return null
        }
        List<PathObject> within = near(box(roi), roi).findAll { PathObject it -> isNucleus(it) && roi.contains(it.getROI().centroidX, it.getROI().centroidY) }
        return within.size() == 1 ? PycytoNucleus.drawn(within[0].getROI(), roi) : null
    }

    private List<PathObject> near(Envelope place, ROI roi) {
        return ((List<PathObject>) outlines.query(place)).findAll { PathObject it -> it.getROI().z == roi.z && it.getROI().t == roi.t }
    }

    private static Envelope box(ROI roi) {
        return new Envelope(roi.boundsX, roi.boundsX + roi.boundsWidth, roi.boundsY, roi.boundsY + roi.boundsHeight)
    }

    private static boolean isNucleus(PathObject object) {
        return !object.isCell() && object.getROI() != null && PycytoObjects.classOf(object).equalsIgnoreCase('nucleus')
    }

    // --- what is normal here -----------------------------------------------------------------------

    private void chooseNormal(List<PathObject> objects, List<PycytoCell> cells, String scheme) {
        Map<String, Boolean> isNormal = new HashMap<String, Boolean>()  // by class: there are few, and many objects
        List<PathObject> classified = objects.findAll { PathObject it -> isClassifiedByExpert(it) }
        List<PathObject> intermediate = classified.findAll { PathObject it -> PycytoObjects.classOf(it).toLowerCase(Locale.ROOT).contains('intermediate') }
        List<PathObject> nilm = classified.findAll { PathObject it ->
            isNormal.computeIfAbsent(PycytoObjects.classOf(it), (String name) -> PycytoSelection.labelOf(scheme, name) == NORMAL)
        }
        take('cells of an intermediate class', nucleiOf(intermediate))
            || take('cells that are annotated NILM', nucleiOf(nilm))
            || take('cells that are predicted NILM', nucleiPredicted(objects, cells))
    }

    private static boolean isClassifiedByExpert(PathObject object) {
        return !PycytoObjects.isUndecided(object) && Double.isNaN(object.measurementList.get(PycytoObjects.RUN_MARK))
    }

    private Set<ROI> nucleiOf(List<PathObject> objects) {
        Set<ROI> found = distinct()
        for (PathObject object : objects) {
            ROI roi = object.getROI()
            if (roi.isPoint()) {
                roi.allPoints.each { point -> add(found, of(object, point.x, point.y)) }
            } else {
                add(found, of(object, roi.centroidX, roi.centroidY))
            }
        }
        return found
    }

    /** Of cells that nobody has called otherwise. */
    private Set<ROI> nucleiPredicted(List<PathObject> objects, List<PycytoCell> cells) {
        Map<String, PathObject> byId = new HashMap<String, PathObject>()
        objects.each { PathObject it -> byId.put(it.getID().toString(), it) }
        Set<ROI> found = distinct()
        for (PycytoCell cell : cells) {
            PathObject object = byId.get(cell.objectId)
            if (object != null && cell.predicted == NORMAL && (cell.expertLabel ?: NORMAL) == NORMAL) {
                add(found, of(object, cell.x, cell.y))
            }
        }
        return found
    }

    /** Outlines by identity: one nucleus can be reached from two objects, and counts once. */
    private static Set<ROI> distinct() {
        return Collections.newSetFromMap(new IdentityHashMap<ROI, Boolean>())
    }

    private static void add(Set<ROI> found, PycytoNucleus nucleus) {
        if (nucleus != null) {
            found.add(nucleus.outline)
        }
    }

    private boolean take(String whose, Set<ROI> nuclei) {
        if (nuclei.size() < ENOUGH) {
            return false
        }
        double[] areas = nuclei.collect { ROI it -> PycytoObjects.area(it) } as double[]
        Arrays.sort(areas)
        int middle = areas.length.intdiv(2)
        normal = whose
        count = areas.length
        normalArea = areas.length % 2 == 1 ? areas[middle] : (areas[middle - 1] + areas[middle]) / 2.0d
        return true
    }
}
