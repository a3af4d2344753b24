/*
 * Hides the predictions in QuPath's window while somebody decides without them, and shows them again.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.beans.property.BooleanProperty
import qupath.lib.gui.QuPathGUI

class PycytoHiding {
    boolean isHidden = false
    private final QuPathGUI gui
    private boolean hadPanes = false

    PycytoHiding(QuPathGUI gui) {
        this.gui = gui
    }

    /** Hides all detections, and the panes at the left: their tables count the detections in an annotation, by class. */
    void hide(boolean isHidden) {
        if (isHidden == this.isHidden) {
            return
        }
        this.isHidden = isHidden
        gui.viewer.overlayOptions.setShowDetections(!isHidden)
        hadPanes = isHidden ? panes.get() : hadPanes
        panes.set(!isHidden && hadPanes)
    }

    /** Whether the prediction can be seen: also where somebody has opened the panes again. */
    boolean isSeen() {
        return !isHidden || panes.get()
    }

    private BooleanProperty getPanes() {
        return gui.showAnalysisPaneProperty()
    }
}
