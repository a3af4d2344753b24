/*
 * How a review begins in QuPath's window, in the panel as in the gallery: with a run, a name and the lock.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.stage.Stage
import javafx.stage.Window

class PycytoReviewStart {
    /**
     * Opens a window for a run of the open project; where it is open already, it comes to the front.
     *
     * @param title  of the window
     * @param show   gets a PycytoReview and the lock, shows the window, and gives the lock back when that is closed
     */
    static void open(PycytoJob job, String title, Closure<Void> show) {
        if (isOpen(title)) {
            return
        }
        def run = PycytoRun.chosen(job.project, job.config.run)
        if (run.state == 'staged') {
            Pycyto.refuse("The run ${run.name} is not loaded into QuPath yet. Run import_predictions.groovy first.")
        }
        String reviewer = PycytoReviewer.name(job.config.reviewer)
        def lock = new PycytoLock()
        lock.take(PycytoDecisions.folderOf(job.project), job.name, job.config.lock_holder)
        try {
            def review = new PycytoReview(run, new PycytoDecisions(job.project, reviewer), job.config.hsil_above as double)
            review.notices.addAll(begun(review))
            Pycyto.inWindow { show.call(review, lock) }
        } catch (Throwable e) {
            lock.giveBack()
            throw e
        }
    }

    /** Other runs whose review was begun and not finished: the newest run is taken, and somebody may look for that one. */
    private static List<String> begun(PycytoReview review) {
        Map<String, Integer> decided = review.decisions.cellsByRun
        def others = PycytoRun.all(review.run.project).findAll { it.name != review.run.name && it.state in ['written', 'partly written'] && decided[it.name] }
        return others.collect { [it, it.predicted.values().sum() as int] }.findAll { other, cells -> decided[other.name] < cells }.collect { other, cells ->
            "A review of the run ${other.name} was begun (${decided[other.name]} of ${cells} cells decided). To go on with it, give its name as \"run\" in the settings at the top of this script.".toString()
        }
    }

    private static boolean isOpen(String title) {
        boolean isThere = false
        Pycyto.inWindow {
            def window = Window.windows.find { it instanceof Stage && it.title == title } as Stage
            window?.toFront()
            window?.requestFocus()
            isThere = window != null
        }
        return isThere
    }
}
