/*
 * A small window that shows how far a long work is, and can cancel it. Without QuPath's window
 * what it would show goes to the log.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.application.Platform
import javafx.event.EventHandler
import javafx.geometry.Insets
import javafx.geometry.Pos
import javafx.scene.Scene
import javafx.scene.control.Button
import javafx.scene.control.Label
import javafx.scene.control.ProgressBar
import javafx.scene.layout.VBox
import javafx.stage.Stage
import qupath.lib.gui.QuPathGUI

class PycytoProgress {
    private final Runnable cancel
    private Stage stage  // null without QuPath's window, and then there are no controls either
    private Label done
    private ProgressBar bar
    private Button button

    private PycytoProgress(Runnable cancel) {
        this.cancel = cancel
    }

    /**
     * Shows it beside QuPath's window.
     *
     * @param about   what is done, with what
     * @param cancel  is called once when the user has had enough, on a thread of its own
     */
    static PycytoProgress show(QuPathGUI gui, String title, String about, Runnable cancel) {
        Pycyto.LOG.info('{}: {}', title, about)
        def progress = new PycytoProgress(cancel)
        if (gui != null) {
            Pycyto.inWindow { progress.open(gui, title, about) }
        }
        return progress
    }

    private void open(QuPathGUI gui, String title, String about) {
        done = new Label('Starting')
        bar = new ProgressBar(ProgressBar.INDETERMINATE_PROGRESS)
        bar.maxWidth = Double.MAX_VALUE
        def what = new Label(about)
        what.wrapText = true
        button = new Button('Cancel')
        button.onAction = { event -> stop() } as EventHandler
        def box = new VBox(10, what, bar, done, button)
        box.padding = new Insets(15)
        box.alignment = Pos.CENTER_LEFT
        box.prefWidth = 460
        stage = new Stage()
        stage.initOwner(gui.stage)
        stage.title = title
        stage.scene = new Scene(box)
        stage.onCloseRequest = { event -> event.consume(); stop() } as EventHandler
        stage.show()
    }

    private void stop() {
        if (!button.disabled) {
            end('Cancelling')
            new Thread(cancel, 'pycyto cancel').start()  // to end a process takes a moment
        }
    }

    void progress(String of, long number, Long total) {
        inWindow {
            done.text = total == null ? "${number} ${of}" : "${number} of ${total} ${of}"
            bar.progress = total ? number / (double) total : ProgressBar.INDETERMINATE_PROGRESS
        }
    }

    /** What follows is short, and not to be broken off. */
    void finishing(String what) {
        inWindow { end(what) }
    }

    private void end(String what) {
        button.disable = true
        done.text = what
        bar.progress = ProgressBar.INDETERMINATE_PROGRESS
    }

    void close() {
        inWindow { stage.close() }
    }

    private void inWindow(Closure<?> action) {
        if (stage != null) {
            Platform.runLater(action as Runnable)
        }
    }
}
