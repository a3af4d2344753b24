/*
 * Hides all windows of QuPath while somebody reads blinded: they show image names, thumbnails, class
 * colours, predictions. What is open in them stays open, saved or not, and is there again afterwards.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.animation.PauseTransition
import javafx.event.EventHandler
import javafx.stage.Stage
import javafx.stage.Window
import javafx.util.Duration
import javax.swing.SwingUtilities

class PycytoCurtain implements Closeable {
    private static final Duration SETTLED = Duration.millis(500)

    private final List<Stage> stages
    private final List<List<Double>> places
    private final List<java.awt.Window> imageJ  // ImageJ's windows have image names as titles

    /** Hides everything but one window, which is shown already: QuPath ends when its last window goes. */
    PycytoCurtain(Stage except) {
        stages = Window.windows.findAll { it instanceof Stage && it.showing && !it.is(except) }
        places = stages.collect { [it.x, it.y] }
        imageJ = java.awt.Window.windows.findAll { it.showing }
        stages.reverse()*.hide()  // those that belong to others first
        if (imageJ) {
            SwingUtilities.invokeLater { imageJ*.visible = false }
        }
    }

    /** Shows all that was hidden. */
    @Override
    void close() {
        stages*.show()
        def settled = new PauseTransition(SETTLED)  // some window managers move a window that comes back by the height of its title
        settled.onFinished = { putBack() } as EventHandler
        settled.play()
        if (imageJ) {
            SwingUtilities.invokeLater { imageJ*.visible = true }
        }
    }
    private void putBack() {
        [stages, places].transpose().each { Stage stage, List<Double> place ->
            if (!stage.maximized) {
                stage.x = place[0]
                stage.y = place[1]
            }
        }
    }
}
