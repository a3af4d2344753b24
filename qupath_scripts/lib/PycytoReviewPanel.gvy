/*
 * The review panel: a window beside QuPath's viewer that shows one cell after the other and takes keys.
 * Keys count only while this window has the focus.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.animation.KeyFrame
import javafx.animation.Timeline
import javafx.application.Platform
import javafx.beans.value.ChangeListener
import javafx.event.EventHandler
import javafx.geometry.Insets
import javafx.scene.Node
import javafx.scene.Scene
import javafx.scene.control.Button
import javafx.scene.control.Hyperlink
import javafx.scene.control.Label
import javafx.scene.control.ProgressBar
import javafx.scene.control.ScrollPane
import javafx.scene.control.Separator
import javafx.scene.control.TextInputControl
import javafx.scene.input.KeyCode
import javafx.scene.input.KeyEvent
import javafx.scene.layout.HBox
import javafx.scene.layout.VBox
import javafx.stage.Stage
import javafx.stage.WindowEvent
import javafx.util.Duration
import qupath.fx.dialogs.Dialogs
import qupath.lib.gui.QuPathGUI

class PycytoReviewPanel {
    private static final String NAME = 'pycyto: review'
    private static final double WIDTH = 400

    /** More about a cell: each gets a PycytoCell and its PycytoDecider, and returns a Node or null. */
    final List<Closure<Node>> details = [new PycytoReasonsBox().&node]

    private final PycytoSitting sitting
    private final PycytoLock lock
    private final QuPathGUI gui
    private final PycytoCellCard card
    private final Stage stage = new Stage()
    private final Label title = PycytoCellCard.text('', '-fx-font-size: 1.3em; -fx-font-weight: bold;')
    private final Label message = PycytoCellCard.text('', '')
    private final Button reopen = new Button('Open this image again')
    private final VBox detailsBox = new VBox(8)
    private final Label here = PycytoCellCard.text('', '')
    private final Label all = PycytoCellCard.text('', '')
    private final ProgressBar progress = new ProgressBar(0)
    private final VBox root = new VBox(10)
    private final PycytoReviewFilters filters
    private final PycytoKeys keys
    private final PycytoBeside beside
    private final ChangeListener onImage = { p, was, is -> Platform.runLater { follow() } } as ChangeListener
    // QuPath's own "Save" leaves no trace but the file.
    private final Timeline watch = new Timeline(new KeyFrame(Duration.seconds(1), { noticeSave() } as EventHandler))
    private final EventHandler<WindowEvent> onQuit = { sitting.save() } as EventHandler<WindowEvent>  // else QuPath would ask
    private final ChangeListener onProject = { p, was, is -> Platform.runLater { stage.close() } } as ChangeListener

    /** Opens the panel for a run of the open project; where it is open already, it comes to the front. */
    static void open(PycytoJob job) {
        PycytoReviewStart.open(job, NAME) { PycytoReview review, PycytoLock lock -> new PycytoReviewPanel(review, lock, job).show() }
    }

    private PycytoReviewPanel(PycytoReview review, PycytoLock lock, PycytoJob job) {
        this.lock = lock
        gui = job.project.gui
        sitting = new PycytoSitting(review, gui, job.config.save_after as int)
        card = new PycytoCellCard(review.hsilAbove)
        filters = new PycytoReviewFilters(review.labels, { chooseAgain() })
        keys = keys()
        beside = new PycytoBeside(gui.stage, stage, WIDTH)
        build()
    }

    // --- how it looks ------------------------------------------------------------------------------

    private void build() {
        progress.setMaxWidth(Double.MAX_VALUE)
        message.setStyle('-fx-background-color: derive(-fx-accent, 40%); -fx-text-fill: black; -fx-padding: 6 10 6 10; -fx-background-radius: 4;')
        message.setMaxWidth(Double.MAX_VALUE)
        reopen.onAction = { attempt { sitting.reopen() } } as EventHandler
        def leftOut = PycytoCellCard.text(sitting.review.notices.join('\n'), PycytoCellCard.FAINT)
        def person = PycytoCellCard.text("${sitting.review.decisions.reviewer}, run ${sitting.review.run.name}", PycytoCellCard.FAINT)
        def other = new Hyperlink('Not you?')
        other.onAction = { attempt { changeReviewer() } } as EventHandler
        root.padding = new Insets(14)
        root.children.setAll(title, here, all, progress, message, reopen, new Separator(), card.node, keys.node,
            detailsBox, new Separator(), filters.node, leftOut, new HBox(6, person, other))
        def scroll = new ScrollPane(root)
        scroll.setFitToWidth(true)
        scroll.setFocusTraversable(false)
        stage.setTitle(NAME)
        stage.initOwner(gui.stage)
        stage.setScene(new Scene(scroll, WIDTH, 900))
        stage.scene.stylesheets.setAll(gui.stage.scene.stylesheets)
        stage.scene.addEventFilter(KeyEvent.KEY_PRESSED, { KeyEvent e -> onKey(e) } as EventHandler)
        stage.onHidden = { close() } as EventHandler
    }

    private PycytoKeys keys() {
        def keys = new PycytoKeys(sitting.review.labels, { String label -> decide('class', label) }, { Closure action -> attempt(action) })
        keys.add('Enter  accept', [KeyCode.ENTER, KeyCode.SPACE]) { decide('accept', sitting.current?.predicted) }
        keys.add('S  skip', [KeyCode.S]) { decide('skip', null) }
        keys.add('F  flag', [KeyCode.F]) { decide('flag', null) }
        keys.add('U  take back', [KeyCode.U, KeyCode.BACK_SPACE]) { sitting.takeBack() }
        keys.add('H  hide predictions', [KeyCode.H]) { sitting.hide(!sitting.isHidden) }
        keys.add('\u2190  back', [KeyCode.LEFT, KeyCode.UP]) { move(-1) }
        keys.add('\u2192  on', [KeyCode.RIGHT, KeyCode.DOWN]) { move(1) }
        return keys
    }

    private void show() {
        gui.imageDataProperty().addListener(onImage)
        gui.projectProperty().addListener(onProject)
        gui.stage.addEventFilter(WindowEvent.WINDOW_CLOSE_REQUEST, onQuit)
        watch.setCycleCount(-1)
        watch.play()
        beside.arrange()
        stage.show()
        attempt { sitting.choose(filters.chosen) }
    }

    /** Shows what has become of the cell and of the counts. */
    private void refresh() {
        def cell = sitting.current
        if (cell == null) {
            card.showNone()
        } else {
            def entry = sitting.review.run.project.project.imageList.find { it.getID() == cell.entryId }
            card.show(cell, entry?.imageName ?: '', sitting.isHidden)
        }
        title.setText(cell == null ? 'No cell' : "Cell ${sitting.index + 1} of ${sitting.cells.size()}")
        def counts = sitting.review.counts(), total = counts.values().sum() as int
        here.setText(cell == null ? '' : "This slide: ${sitting.review.told(cell.entryId)}")
        all.setText("All slides: ${sitting.review.told()}")
        progress.setProgress(total ? (total - counts.open) / (double) total : 1)
        detailsBox.children.setAll(cell == null || sitting.decider == null || sitting.isHidden ? [] : details.collect { it.call(cell, sitting.decider) }.findAll())
    }

    private void tell(String text) {
        message.setText(text ?: '')
        message.setVisible(text as boolean)
        message.setManaged(text as boolean)
    }

    // --- what keys do ------------------------------------------------------------------------------

    private void onKey(KeyEvent event) {
        if (stage.scene.focusOwner instanceof TextInputControl || event.isShortcutDown() || event.isAltDown()) {
            if (event.code == KeyCode.ESCAPE || event.code == KeyCode.ENTER) {
                Platform.runLater { root.requestFocus() }
            }
            return
        }
        if (keys.press(event)) {
            event.consume()
        }
    }

    private void decide(String action, String label) {
        sitting.decide(action, label)
        if (!sitting.forward()) {
            tell('That was the last cell that you have chosen. Other filters show others.')
        }
        Platform.runLater {  // the next cell is shown first
            sitting.saveIfDue()
            tellSaveProblem()
        }
    }

    private void move(int steps) {
        if (!sitting.move(steps)) {
            tell(steps > 0 ? 'This is the last cell.' : 'This is the first cell.')
        }
    }

    /** On a computer that several people use. */
    private void changeReviewer() {
        PycytoReviewer.ask()
        stage.close()
        Dialogs.showInfoNotification(NAME, 'Start the review again: it goes on under the new name.')
    }

    private void chooseAgain() {
        attempt { sitting.choose(filters.chosen) }
    }

    private void follow() {
        if (!stage.isShowing() || sitting.isInStep()) {
            return
        }
        attempt {
            if (!sitting.follow()) {
                tell('This image has no cells of the run. An arrow key leads back to the review.')
            }
        }
    }

    /** Does something, and says what came of it: a refusal is a message in the panel, never a dialog in the way. */
    private void attempt(Closure action) {
        tell('')
        try {
            action.call()
        } catch (PycytoRefusal refusal) {
            tell(refusal.message)
        } catch (Throwable e) {
            Pycyto.LOG.error(NAME, e)
            tell("This did not work (${e.message ?: e}). What you have decided so far is kept. QuPath's log says more.")
        }
        tellSaveProblem()
        refresh()
        root.requestFocus()
    }

    private void tellSaveProblem() {
        String problem = sitting.decider?.saveProblem
        reopen.setVisible(problem != null)
        reopen.setManaged(problem != null)
        if (problem != null) {
            tell("${problem} Your decisions are kept, and go on being kept, but this image is no longer saved. The button opens it again "
                + 'and brings your decisions in; what else you changed in it since it was last saved is lost then.')
        }
    }

    private void noticeSave() {
        try {
            sitting.decider?.noticeSave()
        } catch (PycytoRefusal refusal) {
            tell(refusal.message)
        }
    }

    private void close() {
        gui.imageDataProperty().removeListener(onImage)
        gui.projectProperty().removeListener(onProject)
        gui.stage.removeEventFilter(WindowEvent.WINDOW_CLOSE_REQUEST, onQuit)
        watch.stop()
        try {
            sitting.hide(false)
            sitting.save()
            def problem = sitting.decider?.saveProblem
            if (problem) {
                Dialogs.showWarningNotification(NAME, "${problem}\nYour decisions are kept. Close the image without saving, then start the review again.")
            }
        } finally {
            lock.giveBack()
            beside.putBack()
        }
    }
}
