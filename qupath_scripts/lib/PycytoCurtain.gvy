/*
 * Hides all windows of QuPath while somebody reads blinded: they show image names, thumbnails, class
 * colours, predictions. What is open in them stays open, saved or not, and is there again afterwards.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.stage.Stage
import javafx.stage.Window
import javax.swing.SwingUtilities

class PycytoCurtain implements Closeable {
    private final List<Stage> stages
    private final List<java.awt.Window> imageJ  // ImageJ's windows have image names as titles

    /** Hides everything but one window, which is shown already: QuPath ends when its last window goes. */
    PycytoCurtain(Stage except) {
        stages = Window.windows.findAll { it instanceof Stage && it.showing && !it.is(except) }
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
        if (imageJ) {
            SwingUtilities.invokeLater { imageJ*.visible = true }
        }
    }
}
