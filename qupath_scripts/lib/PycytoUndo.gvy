/*
 * Takes a run back out of an image that was saved since: exactly what the run did, and only where no
 * human has made it his own. (Where nothing was saved since, pycyto undo puts the former file back.)
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoUndo {
    // An outline that was saved and read again, in another version perhaps, has moved by less.
    private static final double SAME_PLACE = 0.1d
    private static final double SAME_AREA = 0.01d

    private final PycytoRun run
    private final PycytoImage image
    private final PycytoFormer former
    private final double mark
    private final Set<String> reviewed  // objects whose class somebody has decided in a review
    private final List<PathObject> removed = []
    private final Map<PathObject, Map<String, String>> restored = [:]
    private final Map<String, String> left = [:]

    private PycytoUndo(PycytoRun run, PycytoImage image) {
        this.run = run
        this.image = image
        former = new PycytoFormer(image)
        mark = run.mark
        reviewed = PycytoDecisions.decidedIn(run.project, image.id)
    }

    /** Withdraws an image of a run that was never loaded, and takes any other back. */
    static Map<String, Object> undo(PycytoRun run, PycytoImage image) {
        if (run.get(image.id, 'state') == 'staged' && !run.get(image.id, 'pending_sha256')) {
            run.note(image.id, [state: 'undone'])
            return [withdrawn: 1]
        }
        return takeBack(run, image)
    }

    /** Takes one image of a run back, and returns the counts; what is left is listed in run.json with the reason. */
    static Map<String, Object> takeBack(PycytoRun run, PycytoImage image) {
        return new PycytoUndo(run, image).perform()
    }

    private Map<String, Object> perform() {
        run.recover(image)
        String before = image.dataSha256()
        image.checkComplete()
        plan()
        if (removed || restored) {
            run.keep(image, new File(run.folder, "undone/${image.id}"), 'undone_from_sha256')
            image.checkStill(before)
            def hierarchy = image.data.hierarchy
            hierarchy.removeObjects(removed, true)
            restored.each { object, row -> former.restore(object, row) }
            hierarchy.fireObjectClassificationsChangedEvent(this, restored.keySet())
            save()
            PycytoCells.write(image)
        }
        Map<String, Object> counts = [taken_back: removed.size() + restored.size(), left: left.size()] as Map<String, Object>
        run.note(image.id, [state: 'undone', taken_back: counts.taken_back, left: left, undone_from_sha256: before,
            undone_sha256: image.dataSha256(), pending_sha256: ''])
        return counts
    }

    private void save() {
        try {
            image.save()
        } catch (Throwable e) {
            run.recover(image)  // QuPath puts its backup back after errors of the disk, but not after others
            throw e
        }
    }

    private void plan() {
        Map<String, Map<String, String>> rows = run.written(image.id)
        image.objects().each { PathObject object ->
            String id = object.getID().toString()
            def row = rows[id]
            if (row?.done == 'created' && PycytoObjects.hasMark(object, PycytoObjects.RUN_MARK, mark)) {
                whyLeft(object, row).with { reason -> reason ? left.put(id, reason) : removed.add(object) }
            } else if (row?.done == 'updated' && object.isDetection()) {
                whyLeft(object, row).with { reason -> reason ? left.put(id, reason) : restored.put(object, row) }
            }
        }
    }

    /** Why an object is no longer the run's to take back, or null. */
    private String whyLeft(PathObject object, Map<String, String> row) {
        if (row.done == 'updated' && !PycytoObjects.hasMark(object, PycytoObjects.UPDATED_MARK, mark)) {
            String later = PycytoObjects.updatedBy(object)
            return later ? "classified by run ${former.withMark(later)?.name ?: later} since".toString() : 'relabelled'
        }
        return PycytoObjects.classOf(object) != row.get('class') ? 'relabelled'
            : row.object_id in reviewed ? 'decided in a review'
            : object.isLocked() && !row.former_locked ? 'locked'
            : (object.getName() ?: '') != (row.former_name ?: '') ? 'named'
            : isMoved(object.getROI(), row) ? 'moved'
            : null
    }

    private static boolean isMoved(ROI roi, Map<String, String> row) {
        double area = row.area as double
        double[] place = PycytoObjects.placeOf(roi)
        return Math.hypot(place[0] - (row.x as double), place[1] - (row.y as double)) > SAME_PLACE
            || Math.abs(place[2] - area) > SAME_AREA * Math.max(area, 100.0d)
    }
}
