/*
 * The gallery's window: a page of cells, what is known of the chosen one, and the keys.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.function.Consumer
import javafx.application.Platform
import javafx.beans.value.ChangeListener
import javafx.event.EventHandler
import javafx.scene.Scene
import javafx.scene.input.KeyCode
import javafx.scene.input.KeyEvent
import javafx.stage.Screen
import javafx.stage.Stage
import javafx.stage.WindowEvent
import qupath.fx.dialogs.Dialogs

class PycytoGalleryWindow {
    private static final String NAME = 'pycyto: gallery'
    private static final double WIDTH = 1180, HEIGHT = 960
    private static final double MARGIN = 40  // for the window's frame, on small screens

    private final PycytoReview review
    private final PycytoGallery gallery
    private final PycytoSitting sitting  // what the viewer shows
    private final PycytoSlides slides
    private final PycytoThumbnails thumbnails
    private final List<PycytoCell> all
    private final PycytoLock lock
    private final PycytoGalleryView view
    private final Stage stage = new Stage()
    private List<PycytoCell> page = []
    private final PycytoOnScreen onScreen = new PycytoOnScreen()  // the page

    /** Opens the gallery for a run of the open project; where it is open already, it comes to the front. */
    static void open(PycytoJob job) {
        PycytoReviewStart.open(job, NAME) { PycytoReview review, PycytoLock lock -> new PycytoGalleryWindow(review, lock, job).show() }
    }

    private PycytoGalleryWindow(PycytoReview review, PycytoLock lock, PycytoJob job) {
        this.review = review
        this.lock = lock
        all = review.cells
        sitting = new PycytoSitting(review, job.project.gui, Integer.MAX_VALUE)
        slides = new PycytoSlides(sitting)
        thumbnails = new PycytoThumbnails(slides, { PycytoCell cell -> Platform.runLater { showPicture(cell) } } as Consumer)
        gallery = new PycytoGallery([classes: review.labels, columns: job.config.columns, rows: job.config.rows, hsilAbove: review.hsilAbove], this,
            { String label, String state -> review.cells(predicted: label, state: state) })
        Map<String, String> imageNames = job.project.project.imageList.collectEntries { [it.getID(), it.imageName] }
        view = new PycytoGalleryView(gallery, imageNames, review.decisions.reviewer, { showClass(it) }, { place, times -> clicked(place, times) })
    }

    // --- what it shows ---------------------------------------------------------------------------

    private void show() {
        stage.title = NAME
        def screen = Screen.primary.visualBounds
        stage.scene = new Scene(view.root, Math.min(WIDTH, screen.width - MARGIN), Math.min(HEIGHT, screen.height - MARGIN))
        stage.scene.stylesheets.setAll(sitting.gui.stage.scene.stylesheets)
        stage.scene.addEventFilter(KeyEvent.KEY_PRESSED, { KeyEvent it -> pressed(it) } as EventHandler)
        listen()
        stage.show()
        followViewer()
        showClass(review.labels.find { label -> all.any { it.predicted == label && it.state == PycytoCell.OPEN } } ?: review.labels[0])
        gallery.message = review.notices.join('\n')
        tell()
        stage.requestFocus()
    }

    private void showClass(String label) {
        gallery.show(label, view.state)
        refresh()
        view.root.requestFocus()
    }

    /** Shows the page and the chosen cell as they are now; reads the pictures of a page that was turned to. */
    private void refresh() {
        List<PycytoCell> now = gallery.pageCells()
        if (now != page) {
            page = now
            onScreen.renew()
            load()
        }
        view.showPage(thumbnails)
        view.showNumbers(all, review.counts())
        view.describe(gallery.chosen)
        tell()
    }

    private void tell() {
        List<String> unsaved = slides.problems.collect { id, why -> "Not saved, but kept in the log: ${review.run.project.called(id)}: ${why}".toString() }
        view.message.text = ([gallery.message] + unsaved).findAll().join('\n')
    }

    private void load() {
        slides.keep((page + gallery.ahead)*.entryId as Set)
        thumbnails.want(page, gallery.ahead)
    }

    private void showPicture(PycytoCell cell) {
        int place = page.indexOf(cell)
        if (place >= 0) {
            view.showPlace(place, thumbnails)
        }
    }

    // --- what is done with it --------------------------------------------------------------------

    private void pressed(KeyEvent event) {
        if (event.controlDown || event.altDown || event.metaDown) {
            return
        }
        boolean isKnown = event.code == KeyCode.ENTER
        if (isKnown) {
            jump()
        } else {
            attempt { isKnown = gallery.press(event.text ==~ /[1-9]/ ? "DIGIT${event.text}" : event.code.name()) }
            refresh()
        }
        if (isKnown) {
            event.consume()
        }
    }

    private void clicked(int place, int times) {
        if (place < page.size()) {
            gallery.choose(gallery.page * gallery.size + place)
            refresh()
        }
        if (times == 2) {
            jump()
        }
    }

    /** What is to be seen of a cell: nobody has looked at one without a picture. */
    String sightOf(PycytoCell cell) {
        return thumbnails.problems.containsKey(cell.key) ? PycytoGallery.NO_PICTURE
            : thumbnails.of(cell) != null && slides.ready(cell.entryId) != null ? PycytoGallery.SHOWN : PycytoGallery.LOADING
    }

    Map<String, Object> decide(PycytoCell cell, String action, String label, String way) {
        onScreen.check()
        slideOf(cell).decide(cell, action, label, seen(way))
        return cell.decisions.last()
    }

    /** Its slide may have been left long ago: then it is opened again, for which a large one takes some seconds. */
    void takeBack(PycytoCell cell, Map<String, Object> decision) {
        slides.open(cell.entryId).takeBack(cell, decision, seen('gallery'))
    }

    private PycytoDecider slideOf(PycytoCell cell) {
        PycytoDecider slide = slides.ready(cell.entryId)
        if (slide == null) {
            Pycyto.refuse(thumbnails.problems[cell.key] ?: 'This slide is just being opened. Press the key again in a moment.')
        }
        return slide
    }

    private Map<String, Object> seen(String way) {
        return [shown: 'prediction', seconds: onScreen.seconds, way: way]
    }

    // --- QuPath's window -------------------------------------------------------------------------

    private void listen() {
        def gui = sitting.gui
        def toBack = { KeyEvent it -> back(it) } as EventHandler
        def toFollow = { o, before, now -> Platform.runLater { followIfNeeded() } } as ChangeListener
        def toClose = { o, before, now -> stage.hide() } as ChangeListener
        gui.stage.addEventFilter(KeyEvent.KEY_PRESSED, toBack)
        gui.imageDataProperty().addListener(toFollow)
        gui.projectProperty().addListener(toClose)
        def toQuit = { stage.hide() } as EventHandler
        gui.stage.addEventFilter(WindowEvent.WINDOW_CLOSE_REQUEST, toQuit)
        // Whoever goes to QuPath's window may open another image there: with nothing left to save it asks nothing.
        stage.focusedProperty().addListener({ o, before, now -> attempt { now ? sitting.decider?.noticeSave() : slides.saveViewer() } } as ChangeListener)
        stage.onHidden = {
            gui.stage.removeEventFilter(KeyEvent.KEY_PRESSED, toBack)
            gui.stage.removeEventFilter(WindowEvent.WINDOW_CLOSE_REQUEST, toQuit)
            gui.imageDataProperty().removeListener(toFollow)
            gui.projectProperty().removeListener(toClose)
            close()
        } as EventHandler
    }

    /** Shows the chosen cell in QuPath's viewer and goes there; this window stays. */
    private void jump() {
        if (gallery.chosen == null) {
            return
        }
        attempt { slides.jump(gallery.chosen) }
        load()
        sitting.gui.stage.toFront()
        sitting.gui.stage.requestFocus()
        sitting.viewer.view.requestFocus()
    }

    private void back(KeyEvent event) {
        if (event.code == KeyCode.ESCAPE) {
            stage.toFront()
            stage.requestFocus()
            event.consume()
        }
    }

    private void followIfNeeded() {
        if (stage.showing && !slides.isInStep()) {
            followViewer()
        }
    }

    private void followViewer() {
        attempt { slides.follow() }
        load()
    }

    /** Does something; what goes wrong is a message in this window, never a dialog in the way. */
    private void attempt(Closure action) {
        try {
            action.call()
        } catch (PycytoRefusal refusal) {
            gallery.message = refusal.message
        } catch (Throwable e) {
            Pycyto.LOG.error(NAME, e)
            gallery.message = "This did not work (${e.message ?: e}). What you have decided so far is kept. QuPath's log says more."
        }
        tell()
    }

    private void close() {
        try {
            thumbnails.close()
            slides.close()
        } finally {
            lock.giveBack()
        }
        if (slides.problems) {
            Dialogs.showWarningNotification(NAME, 'Not saved:\n' + slides.problems.collect { id, why -> "${review.run.project.called(id)}: ${why}" }.join('\n')
                + '\nYour decisions are kept in the log. Start the gallery again: it brings them into the images.')
        }
    }
}
