/*
 * The slides that the gallery works on: the one in the viewer as it is there, the others opened from
 * disk in the background, and saved and closed when their cells are no longer on the page.
 * A slide that is opened or saved is not in the way of the others.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import qupath.lib.common.ThreadTools
import qupath.lib.gui.viewer.QuPathViewer

@CompileStatic
class PycytoSlides {
    final PycytoSitting sitting  // in the viewer
    final Map<String, String> problems = new ConcurrentHashMap<String, String>()  // by entry ID: why a slide was not saved
    private final PycytoReview review
    private final Map<String, PycytoDecider> opened = new ConcurrentHashMap<String, PycytoDecider>()
    private final Map<String, Future<?>> saving = new ConcurrentHashMap<String, Future<?>>()
    private final ExecutorService saver = Executors.newSingleThreadExecutor(ThreadTools.createThreadFactory('pycyto-save-', true))

    PycytoSlides(PycytoSitting sitting) {
        this.sitting = sitting
        review = sitting.review
    }

    /** A slide that is open already, or null. */
    PycytoDecider ready(String id) {
        PycytoDecider shown = sitting.decider
        return shown?.image?.id == id ? shown : opened.get(id)
    }

    /** Opens a slide from disk, unless it is open: a large one takes seconds. One at a time, so that none is opened twice. */
    synchronized PycytoDecider open(String id) {
        saving.remove(id)?.get()
        PycytoDecider there = ready(id)
        if (there != null) {
            return there
        }
        PycytoImage image = review.run.project.image(id)
        PycytoDecider made
        try {
            checkNotInViewer(image)
            image.checkComplete()
            made = new PycytoDecider(review, image)
        } catch (Throwable e) {
            image.close()
            throw e
        }
        there = ready(id)
        if (there != null) {
            image.close()  // the viewer has got it meanwhile
            return there
        }
        opened.put(id, made)
        return made
    }

    /** What a viewer shows is worked on there: with a second copy one of the two would be lost. */
    private static void checkNotInViewer(PycytoImage image) {
        boolean isShown = image.project.gui?.allViewers?.any { QuPathViewer it ->
            it.imageData != null && image.project.project.getEntry(it.imageData) == image.entry
        }
        if (isShown) {
            Pycyto.refuse('This image is open in a viewer where it cannot be reviewed. Close it there, or click on that viewer.')
        }
    }

    /** Whether what the viewer shows has been taken over. */
    boolean isInStep() {
        PycytoDecider shown = sitting.decider
        return shown != null && shown.image.data.is(sitting.gui.imageData)
    }

    /** Takes over what the viewer shows now. */
    void follow() {
        try {
            sitting.takeOver()
        } finally {
            dropCopy()
        }
    }

    /** Shows a cell in the viewer. */
    void jump(PycytoCell cell) {
        try {
            sitting.show(cell)
        } finally {
            dropCopy()
        }
    }

    /** What was decided on a copy is in the log, and has been carried out on the viewer's when that was taken over. */
    private void dropCopy() {
        String id = sitting.decider?.image?.id
        if (id != null) {
            opened.remove(id)?.image?.close()
        }
    }

    /** Saves and closes all but some, in the background. The viewer's stays open. */
    void keep(Set<String> ids) {
        for (String id : opened.keySet().toList()) {
            if (!(id in ids)) {
                PycytoDecider left = opened.remove(id)
                saving.put(id, saver.submit({ saveAndClose(left) } as Runnable))
            }
        }
    }

    private void saveAndClose(PycytoDecider slide) {
        if (slide.unsaved > 0) {
            slide.save()
        }
        note(slide)
        slide.image.close()
    }

    private void note(PycytoDecider slide) {
        if (slide.saveProblem != null) {
            problems.put(slide.image.id, slide.saveProblem)
        }
    }

    /** Saves what the viewer shows, so that QuPath has nothing to ask when another image is opened. */
    void saveViewer() {
        sitting.save()
        if (sitting.decider != null) {
            note(sitting.decider)
        }
    }

    /** Saves and closes everything, and waits for it. */
    void close() {
        saveViewer()
        keep([] as Set<String>)
        saver.shutdown()
        saver.awaitTermination(1, TimeUnit.HOURS)
    }
}
