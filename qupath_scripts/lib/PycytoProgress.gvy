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
    private final Label done = new Label('Starting')
    private final ProgressBar bar = new ProgressBar(ProgressBar.INDETERMINATE_PROGRESS)
    private final Label said = new Label(' ')
    private final Button button = new Button('Cancel')
    private Stage stage  // none without a window

    private PycytoProgress() {}

    /**
     * Shows it beside QuPath's window.
     *
     * @param about   what is done, with what
     * @param cancel  is called once, on the window's thread, when the user has had enough
     */
    static PycytoProgress show(QuPathGUI gui, String title, String about, Runnable cancel) {
        Pycyto.LOG.info('{}: {}', title, about)
        return gui == null ? new Silent() : Pycyto.inWindow { new PycytoProgress().open(gui, title, about, cancel) }
    }

    private PycytoProgress open(QuPathGUI gui, String title, String about, Runnable cancel) {
        def stop = { event ->
            event.consume()
            if (!button.disabled) {
                end('Cancelling')
                new Thread(cancel, 'pycyto cancel').start()  // ending a process takes a moment
            }
        } as EventHandler
        button.onAction = stop
        bar.maxWidth = Double.MAX_VALUE
        said.wrapText = true
        def box = new VBox(10, new Label(about), bar, done, said, button)
        box.padding = new Insets(15)
        box.alignment = Pos.CENTER_LEFT
        box.prefWidth = 460
        stage = new Stage()
        stage.initOwner(gui.stage)
        stage.title = title
        stage.scene = new Scene(box)
        stage.onCloseRequest = stop
        stage.show()
        return this
    }

    void progress(String of, long number, Long total) {
        Platform.runLater {
            done.text = total == null ? "${number} ${of}" : "${number} of ${total} ${of}"
            bar.progress = total ? number / (double) total : ProgressBar.INDETERMINATE_PROGRESS
        }
    }

    void say(String text) {
        Platform.runLater { said.text = text }
    }

    /** What follows is short, and not to be broken off. */
    void finishing(String what) {
        Platform.runLater { end(what) }
    }

    private void end(String what) {
        button.disable = true
        done.text = what
        bar.progress = ProgressBar.INDETERMINATE_PROGRESS
    }

    void close() {
        Platform.runLater { stage.close() }
    }

    /** In its place without a window. */
    private static class Silent extends PycytoProgress {
        @Override
        void progress(String of, long number, Long total) {}

        @Override
        void say(String text) { Pycyto.LOG.info(text) }

        @Override
        void finishing(String what) { Pycyto.LOG.info(what) }

        @Override
        void close() {}
    }
}
