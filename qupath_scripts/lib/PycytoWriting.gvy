/*
 * Loads a staged run into an image: new detections beside the expert's objects, and classes for
 * detections that nobody has decided on. One list, one addition to the hierarchy, one save; then
 * the file is read again and compared with what was there before.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.common.GeneralTools
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoWriting {
    // A detection with seven measurements takes about this many bytes in data.qpdata and the file of cells.
    private static final long BYTES_PER_OBJECT = 4096L

    private final PycytoRun run
    private final PycytoImage image
    private final double mark
    private final Set<String> labels
    private final PycytoDisagreement disagreement
    private final Set<String> reviewed  // detections whose class somebody has decided in a review
    private final Map<String, PathObject> byId = [:]
    private final List<PathObject> made = []
    private final List<PathObject> updated = []
    private final Map<String, Map<String, String>> rows = [:]  // of the table "written"
    private String sha256  // of the file that was read
    private List<String> before  // fingerprints of what was in it
    private boolean isAsPredicted  // the very data that was read: nothing in it has moved
    private boolean hasOurs
    private boolean isResumed
    private String ours  // state of the data right after our save
    private int there = 0
    private int gone = 0
    private int decided = 0

    private PycytoWriting(PycytoRun run, PycytoImage image) {
        this.run = run
        this.image = image
        mark = run.mark
        labels = run.colours.keySet()
        disagreement = new PycytoDisagreement(run.scheme)
        reviewed = PycytoDecisions.decidedIn(run.project, image.id)
    }

    /**
     * Writes one image of a run, and returns the counts. What a write that was interrupted has saved already
     * is found by its marks and not added again.
     *
     * @param staleOk  also where the image was saved since it was predicted: each cell is looked at on its own
     */
    static Map<String, Object> write(PycytoRun run, PycytoImage image, boolean staleOk) {
        return new PycytoWriting(run, image).perform(staleOk)
    }

    private Map<String, Object> perform(boolean staleOk) {
        run.recover(image)
        look()
        isResumed = isSavedAlready()
        if (!isResumed) {
            checkUnchanged(staleOk)
            checkSpace()
            run.keep(image, run.snapshot(image), 'snapshot_sha256')
        }
        plan(image.objects())
        checkRows()
        PycytoSaved saved = made || updated ? save() : PycytoSaved.of(image)
        PycytoCells.write(image, saved)  // data.qpdata is new, so the file of cells must be too
        return close(saved)
    }

    /** Looks at what is on disk before anything is done. */
    private void look() {
        sha256 = image.dataSha256()
        isAsPredicted = sha256 == run.get(image.id, 'data_sha256')
        List<PathObject> objects = image.checkComplete()
        before = PycytoFingerprints.of(objects)
        hasOurs = objects.any { isOurs(it) }
    }

    /** Whether this run was saved already, by a process that did not live to note it. */
    private boolean isSavedAlready() {
        String pending = run.get(image.id, 'pending_sha256')
        return pending && sha256 != pending && hasOurs
    }

    private void checkUnchanged(boolean staleOk) {
        boolean asUndone = sha256 == run.get(image.id, 'undone_sha256')
        boolean allowed = staleOk || asUndone || run.get(image.id, 'state') == 'overwritten'
        if (!allowed && !run.isOursSince(image, run.get(image.id, 'data_sha256'))) {
            Pycyto.refuse("This image was saved after the run ${run.name} was predicted; nothing was written to it. "
                + 'Predict again; or insist (stale_ok, --stale-ok): then cells that moved or are gone are left out and counted.', 'stale')
        }
    }

    private void checkSpace() {
        long objects = (run.get(image.id, 'new') as long) + (run.get(image.id, 'updates') as long)
        // The snapshot, QuPath's backup and the new file lie side by side for a moment.
        long needed = 3 * image.dataFile.length() + 3 * image.cellsFile.length() + BYTES_PER_OBJECT * objects + (1L << 20)
        long free = image.dataFile.parentFile.usableSpace
        if (free < needed) {
            Pycyto.refuse("The disk is almost full: this image needs ${needed >> 20} MB for a copy of its data and the new one, and ${free >> 20} MB are free. "
                + 'Nothing was written to it. Free some space, then start again.', 'bad input')
        }
    }

    // --- what is to be done ----------------------------------------------------------------------

    @CompileStatic
    private void plan(List<PathObject> objects) {
        for (PathObject object : objects) {
            byId.put(object.getID().toString(), object)
        }
        run.eachRowOf('new', image.id, (Map<String, String> row, Map<String, Double> values) -> create(checked(row), values))
        run.eachRowOf('updates', image.id, (Map<String, String> row, Map<String, Double> values) -> update(checked(row), values))
    }

    @CompileStatic
    private Map<String, String> checked(Map<String, String> row) {
        if (!labels.contains(row.get('class'))) {
            Pycyto.refuse("The run ${run.name} names the class '${row.get('class')}', which its model does not have. Predict again.", 'bad input')
        }
        return row
    }

    /** Tables that lost some rows would be written without a word. */
    private void checkRows() {
        long staged = (run.get(image.id, 'new') as long) + (run.get(image.id, 'updates') as long)
        int found = made.size() + updated.size() + there + gone + decided
        if (staged != found) {
            Pycyto.refuse("${staged} objects were staged for this image, and the tables of the run ${run.name} hold ${found}; nothing was written to it. "
                + 'Copy the folder of the run again, or predict again.', 'bad input')
        }
    }

    @CompileStatic
    private void create(Map<String, String> row, Map<String, Double> values) {
        PathObject same = byId.get(row.get('object_id')), source = byId.get(row.get('source_id'))
        ROI roi = roiFor(row, source)
        if (same != null && PycytoObjects.hasMark(same, PycytoObjects.RUN_MARK, mark)) {
            there++
        } else if (same != null || roi == null) {
            gone++
        } else {
            values.put(PycytoObjects.RUN_MARK, mark)
            disagreement.measure(source, row.get('class'), values)
            PathObject detection = PycytoObjects.detection(roi, row.get('object_id'), row.get('class'), values)
            made.add(detection)
            note(detection, 'created', row.get('class'), null)
        }
    }

    /** The outline of a new detection; null where the expert's object is gone or has moved. */
    @CompileStatic
    private ROI roiFor(Map<String, String> row, PathObject source) {
        double x = Double.parseDouble(row.get('x')), y = Double.parseDouble(row.get('y'))
        if (source == null) {
            return null
        }
        if (!row.get('point_index')) {
            return isAsPredicted || PycytoObjects.isAt(source, x, y) ? source.getROI() : null
        }
        def points = source.getROI().allPoints
        int index = Integer.parseInt(row.get('point_index'))
        boolean same = index < points.size() && Math.hypot(points[index].x - x, points[index].y - y) <= 0.5d
        return same ? PycytoObjects.circle(x, y, Double.parseDouble(row.get('radius')), Integer.parseInt(row.get('z')), Integer.parseInt(row.get('t'))) : null
    }

    @CompileStatic
    private void update(Map<String, String> row, Map<String, Double> values) {
        PathObject target = byId.get(row.get('object_id'))
        double x = Double.parseDouble(row.get('x')), y = Double.parseDouble(row.get('y'))
        if (target != null && PycytoObjects.hasMark(target, PycytoObjects.UPDATED_MARK, mark)) {
            there++
        } else if (target == null || !target.isDetection() || !(isAsPredicted || PycytoObjects.isAt(target, x, y))) {
            gone++
        } else if (!PycytoObjects.isUndecided(target) || reviewed.contains(row.get('object_id'))) {
            decided++
        } else {
            note(target, 'updated', row.get('class'), target)
            values.put(PycytoObjects.UPDATED_MARK, mark)
            PycytoObjects.classify(target, row.get('class'), values)
            updated.add(target)
        }
    }

    /** Notes what is done to an object; the former one tells how a detection was before it got its class. */
    @CompileStatic
    private void note(PathObject object, String done, String label, PathObject former) {
        ROI roi = object.getROI()
        // Setting a class takes away a colour of the object's own.
        Integer colour = former?.getColor()
        double[] place = PycytoObjects.placeOf(roi)
        rows.put(object.getID().toString(), [
            object_id: object.getID().toString(), done: done, 'class': label,
            former_class: former == null ? '' : PycytoObjects.classOf(former), former_run: former == null ? '' : PycytoObjects.updatedBy(former),
            former_colour: colour == null ? '' : colour.toString(),
            former_name: former?.getName() ?: '', former_locked: former?.isLocked() ? '1' : '',
            x: Double.toString(place[0]), y: Double.toString(place[1]), area: Double.toString(place[2]),
        ])
    }

    // --- doing it --------------------------------------------------------------------------------

    private PycytoSaved save() {
        // Before the save, so that undo knows the former classes whatever happens. Rows of what is there already stay.
        def earlier = run.written(image.id).findAll { id, row -> there && !rows.containsKey(id) }
        run.saveWritten(image.id, earlier.values() + rows.values())
        def hierarchy = image.data.hierarchy
        boolean isBegun = false
        try {
            hierarchy.addObjects(made)
            hierarchy.fireObjectClassificationsChangedEvent(this, updated)
            image.checkStill(sha256)
            isBegun = true
            image.save()
            ours = image.dataSha256()
            def saved = PycytoSaved.of(image)
            if (saved.sha256 != ours) {
                return saved  // somebody else has saved since: it is theirs now, and counted below
            }
            List<String> after = PycytoFingerprints.of(saved.objects)
            if (PycytoFingerprints.without(after, rows.keySet()) != PycytoFingerprints.without(before, rows.keySet())) {
                isBegun = false  // whoever has saved it since we did: the newest save stays, and ours can be done again
                Pycyto.refuse('After the save this image holds other objects than before, apart from those of the run: somebody else saved it '
                    + "in the same moment. It is left as it is now; the state before is kept in ${run.snapshot(image)}. Start again when nothing else is at work on the project.", 'stale')
            }
            return saved
        } catch (Throwable e) {
            // A full disk, say: window and file go back to what they were.
            hierarchy.removeObjects(made, true)
            def former = new PycytoFormer(image)
            updated.each { former.restore(it, rows[it.getID().toString()]) }
            if (isBegun && (ours == null || image.dataSha256() == ours)) {
                putBack()
            }
            throw e
        }
    }

    private void putBack() {
        run.recover(image)
        def kept = new File(run.snapshot(image), 'data.qpdata')
        boolean isThere = image.dataFile.exists() && PycytoFiles.sha256(image.dataFile) == run.get(image.id, 'snapshot_sha256')
        if (kept.exists() && !isThere) {
            PycytoFiles.copy(kept, image.dataFile)
            image.backupFile.delete()
            def counted = new File(kept.parentFile, 'summary.json')
            if (counted.exists()) {
                PycytoFiles.copy(counted, new File(image.dataFile.parentFile, counted.name))
            }
        }
    }

    /**
     * The state that undo may put the former file over: what this write left. Where it only found what an earlier
     * one had saved, somebody may have worked on it since; then undo must go object by object.
     */
    private String writtenState(PycytoSaved saved) {
        if (!isResumed) {
            return ours ?: saved.sha256
        }
        Set<String> ours = run.written(image.id).keySet()
        def kept = new File(run.snapshot(image), 'data.qpdata')
        List<String> then = PycytoFingerprints.ofAllFields(PycytoImage.objectsIn(kept))
        List<String> now = PycytoFingerprints.ofAllFields(saved.objects)
        return PycytoFingerprints.without(then, ours) == PycytoFingerprints.without(now, ours) ? saved.sha256 : ''
    }

    // --- counting --------------------------------------------------------------------------------

    @CompileStatic
    private boolean isOurs(PathObject object) {
        return PycytoObjects.hasMark(object, PycytoObjects.RUN_MARK, mark) || PycytoObjects.hasMark(object, PycytoObjects.UPDATED_MARK, mark)
    }

    /** Counts what was read back, notes it in run.json, and returns the counts. */
    private Map<String, Object> close(PycytoSaved saved) {
        List<PathObject> found = saved.objects.findAll { isOurs(it) }
        int created = found.count { PycytoObjects.hasMark(it, PycytoObjects.RUN_MARK, mark) } as int
        int expected = made.size() + updated.size() + there
        Map<String, Object> counts = [created: created, updated: found.size() - created, gone: gone, decided: decided, read_back: found.size()]
        if (found.size() != expected) {
            Pycyto.refuse("${expected} objects were saved and ${found.size()} found. Start again, or take the run back with pycyto undo: "
                + 'the state before it is kept.', 'partly done')
        }
        run.note(image.id, counts + [state: 'written', written_sha256: writtenState(saved), written_at: PycytoFiles.now(),
            written_by: "QuPath ${GeneralTools.version}".toString(), pending_sha256: '', left: [:]])
        return counts
    }
}
