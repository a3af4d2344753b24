/*
 * One reviewer's sitting in QuPath's window: which cell is shown, its image opened and saved before it
 * is left, and what was seen when a key was pressed. On the window's thread only.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import javafx.animation.PauseTransition
import javafx.event.EventHandler
import javafx.util.Duration
import qupath.lib.gui.QuPathGUI
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.ImageData
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoSitting {
    // Full-resolution pixels per screen pixel: enough for chromatin, and the neighbours stay in view.
    private static final double CLOSEST = 0.5d
    private static final double FARTHEST = 1.0d
    private static final double PART_OF_VIEW = 1 / 3.0d
    private static final double SIZE_OF_POINT = 60.0d  // where nothing was outlined
    private static final Duration BREATH = Duration.millis(300)  // without a key: then QuPath is told what has changed
    private static final double LONGEST_PART_SAVING = 0.05d  // of a sitting: large images are saved less often

    final PycytoReview review
    final QuPathGUI gui
    final int saveAfter
    PycytoDecider decider             // of the image in the viewer; null where that has no cells of the run
    List<PycytoCell> cells = []       // that the filter lets through, in the order of the review
    Map<String, Object> filter = [:]
    PycytoCell current

    private boolean wasSeen           // the prediction, at any time since the cell was shown
    private final PycytoHiding hiding  // of the predictions
    private final PycytoOnScreen onScreen = new PycytoOnScreen()  // the cell
    private long savedAt = System.nanoTime()
    private long timeToSave = 0
    private boolean isOpening = false
    private final Set<String> unopened = []  // images that QuPath could not open
    private final PauseTransition pause = new PauseTransition(BREATH)

    PycytoSitting(PycytoReview review, QuPathGUI gui, int saveAfter) {
        this.review = review
        this.gui = gui
        this.saveAfter = saveAfter
        hiding = new PycytoHiding(gui)
        pause.onFinished = { decider?.tell() } as EventHandler
    }

    QuPathViewer getViewer() {
        return gui.viewer
    }

    // --- which cell --------------------------------------------------------------------------------

    /** Takes up the cells that a filter lets through, and shows the first, or stays where it is. */
    void choose(Map<String, Object> wanted) {
        filter = wanted
        cells = review.cells(wanted)
        show(current in cells ? current : cells.find { isWithin(it) })
    }

    int getIndex() {
        return cells.indexOf(current)
    }

    /** Goes some cells on or back, whatever is decided on them; false at the end of the list. */
    boolean move(int steps) {
        int at = index + steps
        while (at >= 0 && at < cells.size() && !isWithin(cells[at])) {
            at += steps
        }
        if (at < 0 || at >= cells.size()) {
            return false
        }
        show(cells[at])
        return true
    }

    /** Goes to the next cell that the filter still lets through, from the start again behind the last; false where there is none. */
    boolean forward() {
        int from = index + 1
        PycytoCell next = nextIn(from, cells.size()) ?: nextIn(0, from - 1)
        if (next != null) {
            show(next)
        }
        return next != null
    }

    @CompileStatic
    private PycytoCell nextIn(int from, int to) {
        for (int at = from; at < to; at++) {
            if (isWithin(cells[at]) && PycytoReview.matches(cells[at], filter)) {
                return cells[at]
            }
        }
        return null
    }

    @CompileStatic
    private boolean isWithin(PycytoCell cell) {
        return !cell.isGone && !unopened.contains(cell.entryId)
    }

    /** Opens the image of a cell if need be, centres the viewer on it and selects it. */
    void show(PycytoCell cell) {
        if (cell != null && !isOpen(cell.entryId)) {
            openImage(cell.entryId)
        }
        current = cell
        onScreen.renew()
        wasSeen = hiding.isSeen()
        if (cell != null && decider != null) {
            PathObject object = decider.objectOf(cell)
            centre(cell, object.getROI())
            viewer.setSelectedObject(object)
        }
    }

    private void centre(PycytoCell cell, ROI roi) {
        boolean isPoint = cell.pointIndex != null
        double size = isPoint ? SIZE_OF_POINT : Math.max(roi.boundsWidth, roi.boundsHeight)
        double view = Math.max(100, Math.min(viewer.view.width, viewer.view.height))
        double whole = size / view
        viewer.setZPosition(roi.z)
        viewer.setTPosition(roi.t)
        viewer.setDownsampleFactor(Math.max(CLOSEST, Math.min(whole / PART_OF_VIEW, Math.max(FARTHEST, 1.2d * whole))))
        viewer.setCenterPixelLocation(cell.x, cell.y)
    }

    // --- which image -------------------------------------------------------------------------------

    /** Whether the image is the one in the viewer, and taken over. */
    boolean isOpen(String imageId) {
        return decider != null && decider.image.id == imageId && decider.image.data.is(gui.imageData)
    }

    private void openImage(String imageId) {
        leave()
        saveOther()
        isOpening = true
        try {
            def entry = review.run.project.image(imageId).entry
            decider = null
            gui.openImageEntry(entry)
            takeOver()
        } finally {
            isOpening = false
        }
        if (decider == null) {
            unopened << imageId
            Pycyto.refuse("${review.run.project.called(imageId)} could not be opened, so its cells are left out for now. Put the image file back where "
                + 'the project expects it and start the review again; an arrow key leads on to the next image.')
        }
    }

    /** QuPath asks before it leaves an image with unsaved changes, of this run or not; a review asks nothing. */
    private void saveOther() {
        def data = gui.imageData as ImageData<BufferedImage>
        def entry = data == null ? null : review.run.project.project.getEntry(data)
        if (entry != null && data.isChanged()) {
            def other = new PycytoImage(review.run.project, entry, data)
            other.saveChanges()  // looks first whether QuPath could read what is on the disk
            if (data.isChanged()) {
                other.save()
            }
        }
    }

    /** Takes over what the viewer shows; false where that is no image of the run. */
    boolean takeOver() {
        save()  // where two viewers are open, the other image still is
        def data = gui.imageData as ImageData<BufferedImage>
        def entry = data == null ? null : review.run.project.project.getEntry(data)
        decider = null
        if (entry != null && entry.getID() in review.images) {
            decider = new PycytoDecider(review, new PycytoImage(review.run.project, entry, data))
            decider.onChange = { pause.playFromStart() }
        }
        return decider != null
    }

    /** Whether the viewer shows the image of the cell that is shown, or none. */
    boolean isInStep() {
        return isOpening || gui.imageData == null || current != null && isOpen(current.entryId)
    }

    /** Follows when somebody has opened another image in QuPath's own list; false where it has no cells of the run. */
    boolean follow() {
        if (!takeOver()) {
            return false
        }
        String here = decider.image.id
        show(cells.find { it.entryId == here && PycytoReview.matches(it, filter) } ?: cells.find { it.entryId == here } ?: review.cells(here)[0])
        return true
    }

    /** Saves the image before it is left. Where it cannot be, it stays open: QuPath would ask, and save over somebody's work. */
    void leave() {
        save()
        if (decider?.saveProblem) {
            Pycyto.refuse(decider.saveProblem)
        }
    }

    /** Opens the image anew from the disk, and brings the decisions into it. */
    void reopen() {
        def entry = decider.image.entry
        decider = null
        isOpening = true
        try {
            viewer.setImageData(entry.readImageData())
            takeOver()
        } finally {
            isOpening = false
        }
        show(current)
    }

    // --- deciding ----------------------------------------------------------------------------------

    /** Records a decision on the cell that is shown. */
    void decide(String action, String label) {
        checkShown()
        onScreen.check()
        if (action == 'accept' && !wasSeen) {
            Pycyto.refuse('The predictions are hidden: choose a class by its digit, or show them with H.')
        }
        decider.decide(current, action, label, seen())
    }

    /** Takes this reviewer's last decision back, and shows its cell. */
    void takeBack() {
        def last = review.decisions.own.reverse().find { review.cellOf(it) != null }
        if (last == null) {
            Pycyto.refuse('There is no decision of yours to take back in this run.')
        }
        PycytoCell cell = review.cellOf(last)
        if (!(cell in cells)) {
            cells.add(Math.max(0, index), cell)
        }
        show(cell)
        decider.takeBack(cell, last, seen())
    }

    /** Nobody decides on a cell that the viewer does not show. */
    private void checkShown() {
        if (current == null) {
            Pycyto.refuse('No cell is shown. Choose other filters.')
        }
        if (!isOpen(current.entryId)) {
            show(current)
            Pycyto.refuse('Another image was open. This is the cell again: press the key once more.')
        }
    }

    private Map<String, Object> seen() {
        wasSeen = wasSeen || hiding.isSeen()
        return [shown: wasSeen ? 'prediction' : 'nothing', seconds: onScreen.seconds, way: 'panel']
    }

    boolean getIsHidden() {
        return hiding.isHidden
    }

    /** Hides the predictions, or shows them again. */
    void hide(boolean isHidden) {
        hiding.hide(isHidden)
        wasSeen = wasSeen || hiding.isSeen()
    }

    // --- saving ------------------------------------------------------------------------------------

    /** Saves after every so many decisions. */
    void saveIfDue() {
        long since = System.nanoTime() - savedAt
        if (decider != null && decider.unsaved >= saveAfter && since * LONGEST_PART_SAVING >= timeToSave) {
            save()
        }
    }

    /** Saves what was decided, while the image is open in some viewer: what somebody has closed without saving stays so. */
    void save() {
        if (decider == null || gui.allViewers.every { !decider.image.data.is(it.imageData) }) {
            return
        }
        long start = System.nanoTime()
        decider.save()
        savedAt = System.nanoTime()
        timeToSave = savedAt - start
    }
}
