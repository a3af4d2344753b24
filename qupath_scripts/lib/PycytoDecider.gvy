/*
 * Brings decisions into an open image: first a line in the reviewer's log, then the class of the
 * expert's object. What the log has and the image has not, after a review was killed, is made up for.
 * In the window it is used on the window's thread only.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import java.time.Instant
import qupath.lib.objects.PathObject
import qupath.lib.objects.classes.PathClass

@CompileStatic
class PycytoDecider {
    private static final double SAME_PLACE = 0.1d  // saving rounds coordinates to 32-bit numbers

    final PycytoReview review
    final PycytoImage image
    final List<PycytoCell> cells
    int applied = 0      // decisions of an earlier sitting that the image had not got
    int unsaved = 0      // decisions since the last save
    String saveProblem   // why this image is not saved any more; null while all is well
    Closure<?> onChange  // in the window: sees to it that `tell` is called soon; null: it is called at once

    private Map<String, PathObject> byId
    private String sha256  // of the data that the objects in memory belong to
    private long savedAt   // when that was written
    private final List<PathObject> untold = new ArrayList<PathObject>()  // have another class, and QuPath does not know

    /** Takes over an image that has just been opened: its classes, and what earlier sittings left undone. */
    PycytoDecider(PycytoReview review, PycytoImage image) {
        this.review = review
        this.image = image
        isSavedNow()
        cells = review.cells(image.id)
        look()
        if (cells && cells.every { PycytoCell it -> !byId.containsKey(it.objectId) }) {
            Pycyto.refuse("None of the ${cells.size()} cells of the run ${review.run.name} is in this image as it is open. "
                + 'Close it without saving, open it again, and start the review again.', 'bad input')
        }
        for (PycytoCell cell : cells) {
            takeOver(cell)
        }
        tell()
    }

    /** The expert's object of a cell: the one whose class a decision changes. */
    PathObject objectOf(PycytoCell cell) {
        PathObject object = byId.get(cell.objectId)
        if (object == null || !isInHierarchy(object)) {
            look()  // QuPath's own undo puts other objects with the same IDs in their place
            object = byId.get(cell.objectId)
        }
        cell.isGone = object == null
        if (object == null) {
            Pycyto.refuse('The object of this cell is no longer in the image. Nothing was recorded.')
        }
        return object
    }

    /**
     * Records a decision on a cell and carries it out.
     *
     * @param action  class, accept, skip or flag
     * @param label   the class that was decided; null for skip and flag
     * @param seen    shown (prediction or nothing), seconds, way
     */
    void decide(PycytoCell cell, String action, String label, Map<String, Object> seen) {
        PathObject object = objectOf(cell)
        String now = classOf(object)
        boolean isKept = label == null || review.labelOf(now) == label
        if (!isKept) {
            checkUnlocked(object)
        }
        String wanted = isKept || isOneOfSeveral(cell, object) ? now : label
        record(cell, [action: action, old_class: now, new_class: wanted, label: label, takes_back: null], seen)
        carryOut(cell, object, wanted)
    }

    /** Takes a decision back: the object gets its former class again, unless somebody has changed it since. */
    void takeBack(PycytoCell cell, Map<String, Object> decision, Map<String, Object> seen) {
        PathObject object = objectOf(cell)
        String now = classOf(object)
        String wanted = now == decision.get('new_class') ? decision.get('old_class') : now
        if (wanted != now) {
            checkUnlocked(object)
        }
        record(cell, [action: 'take back', old_class: now, new_class: wanted, label: null, takes_back: decision.get('decision')], seen)
        carryOut(cell, object, wanted)
    }

    /** Tells QuPath what has another class. It keeps the whole image each time, for its own undo, which takes a while. */
    void tell() {
        if (untold) {
            List<PathObject> changed = new ArrayList<PathObject>(untold)
            untold.clear()
            image.data.hierarchy.fireObjectClassificationsChangedEvent(this, changed)
        }
    }

    private static void checkUnlocked(PathObject object) {
        if (object.isLocked()) {
            Pycyto.refuse('This object is locked, so its class stays and nothing was recorded. Unlock it in QuPath '
                + '(right click, Annotations, Unlock), then decide again; or flag it with F.')
        }
    }

    private void record(PycytoCell cell, Map<String, Object> done, Map<String, Object> seen) {
        Map<String, Object> line = new LinkedHashMap<String, Object>()
        line.put('run', review.run.name)
        line.put('shown', seen.get('shown'))
        line.put('predicted', cell.predicted)
        line.put('probabilities', cell.probabilityByLabel)
        line.putAll(done)
        line.put('seconds', Math.round((seen.get('seconds') as double) * 1000) / 1000.0d)
        line.put('way', seen.get('way'))
        review.decisions.add(cell, line)
    }

    private void carryOut(PycytoCell cell, PathObject object, String wanted) {
        setClass(object, wanted)
        if (onChange == null) {
            tell()
        } else {
            onChange.call()
        }
        cell.elsewhere = null
        readExpert(cell, object)
        unsaved++
    }

    private void setClass(PathObject object, String wanted) {
        if (wanted == classOf(object)) {
            return
        }
        Integer colour = object.getColor()
        if (wanted == null) {
            object.resetPathClass()
        } else {
            object.setPathClass(PathClass.fromString(wanted))
        }
        object.setColor(colour)  // setting a class takes away a colour of the object's own
        untold.add(object)
    }

    private static String classOf(PathObject object) {
        return PycytoObjects.classOf(object) ?: null
    }

    /** Points of one annotation share its class, which no single one of them can change. */
    private static boolean isOneOfSeveral(PycytoCell cell, PathObject object) {
        return cell.pointIndex != null && object.getROI().getNumPoints() > 1
    }

    // --- taking over -----------------------------------------------------------------------------

    private void look() {
        byId = new HashMap<String, PathObject>()
        for (PathObject object : image.objects()) {
            byId.put(object.getID().toString(), object)
        }
    }

    private boolean isInHierarchy(PathObject object) {
        PathObject top = object
        while (top.getParent() != null) {
            top = top.getParent()
        }
        return top.is(image.data.hierarchy.getRootObject())
    }

    private void takeOver(PycytoCell cell) {
        PathObject object = byId.get(cell.objectId)
        cell.isGone = object == null
        if (object == null) {
            return
        }
        if (cell.decisions) {
            replay(cell, object)
        }
        readExpert(cell, object)
    }

    /** Brings an object to what was last decided on it, or notes that somebody else has decided otherwise. */
    private void replay(PycytoCell cell, PathObject object) {
        Map<String, Object> last = cell.decisions.last()
        String now = classOf(object), wanted = last.get('new_class')
        cell.elsewhere = null
        if (now == wanted) {
            return
        }
        if (now in unsavedClasses(cell, last) && !object.isLocked()) {
            setClass(object, wanted)
            applied++
            unsaved++
        } else {
            cell.elsewhere = "${now ?: 'no class'} since, given outside the review".toString()
        }
    }

    /** Classes that an object may have on the disk while the newest decisions on it were not saved. */
    private List<Object> unsavedClasses(PycytoCell cell, Map<String, Object> last) {
        long saved = image.dataFile.lastModified()
        Map<String, Object> first = cell.decisions.find { Map<String, Object> it -> Instant.parse(it.get('at') as String).toEpochMilli() > saved }
        return [last.get('old_class'), (first ?: last).get('old_class')]
    }

    private void readExpert(PycytoCell cell, PathObject object) {
        boolean isPrediction = cell.isUpdate() && cell.label == null && PycytoObjects.isUndecided(object)
        cell.expertClass = isPrediction ? null : classOf(object)
        cell.expertLabel = review.labelOf(cell.expertClass)
    }

    /** What holds for the cells of this image, and what this opening has found. */
    Map<String, Object> counts() {
        Map<String, Object> counts = new LinkedHashMap<String, Object>(review.counts(image.id))
        counts.put('applied', applied)
        counts.put('elsewhere', cells.count { PycytoCell it -> it.elsewhere != null })
        counts.put('gone', cells.count { PycytoCell it -> it.isGone })
        return counts
    }

    // --- saving ----------------------------------------------------------------------------------

    /**
     * Saves the image, if there is something to save. Never over what somebody else has saved meanwhile: then, and
     * when the disk is full, the reason is kept and nothing is saved any more. The log has the decisions anyway.
     */
    void save() {
        tell()
        if (saveProblem != null || unsaved == 0 && !image.data.isChanged()) {
            return
        }
        try {
            image.checkStill(sha256)
            image.save()
            isSavedNow()
            PycytoCells.write(image)
        } catch (PycytoRefusal | IOException e) {
            saveProblem = e.message ?: e.toString()
        }
    }

    private void isSavedNow() {
        savedAt = image.dataFile.lastModified()
        sha256 = image.dataSha256()
        unsaved = 0
    }

    /** QuPath's own "Save" of this very image is nobody else's: what is on the disk then is what is in memory. */
    void noticeSave() {
        tell()
        if (image.dataFile.lastModified() != savedAt && !image.data.isChanged() && !image.backupFile.exists()) {
            savedAt = image.dataFile.lastModified()
            PycytoSaved saved = PycytoSaved.of(image)
            if (isSame(image.objects(), saved.objects)) {
                PycytoCells.write(image, saved)
                isSavedNow()
            }
        }
    }

    private static boolean isSame(List<PathObject> some, List<PathObject> others) {
        if (PycytoFingerprints.of(some) != PycytoFingerprints.of(others)) {
            return false
        }
        for (int i = 0; i < some.size(); i++) {
            double[] one = PycytoObjects.placeOf(some[i].getROI()), other = PycytoObjects.placeOf(others[i].getROI())
            if (Math.hypot(one[0] - other[0], one[1] - other[1]) > SAME_PLACE) {
                return false
            }
        }
        return true
    }
}
