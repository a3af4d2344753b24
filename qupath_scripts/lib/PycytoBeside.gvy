/*
 * Puts a window beside QuPath's, so that neither covers the other, and QuPath's back as it was.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.geometry.Rectangle2D
import javafx.stage.Screen
import javafx.stage.Stage
import javafx.stage.Window

class PycytoBeside {
    private final Stage main
    private final Stage other
    private final double width
    private boolean wasMaximized
    private Rectangle2D before
    private Stage editor  // QuPath's script editor lies over the middle of the viewer, where the cells are shown

    PycytoBeside(Stage main, Stage other, double width) {
        this.main = main
        this.other = other
        this.width = width
    }

    void arrange() {
        editor = Window.windows.find { it instanceof Stage && it.showing && it.title?.startsWith('Script Editor') } as Stage
        editor?.hide()  // not iconified: where it belongs to QuPath's window, that one would go with it
        Rectangle2D screen = (Screen.getScreensForRectangle(main.x, main.y, main.width, main.height) ?: [Screen.primary])[0].visualBounds
        wasMaximized = main.maximized
        before = new Rectangle2D(main.x, main.y, main.width, main.height)
        if (wasMaximized || main.x + main.width > screen.maxX - width) {
            main.setMaximized(false)
            place(main, screen.minX, screen.minY, screen.width - width, screen.height)
        }
        place(other, screen.maxX - width, screen.minY, width, screen.height)
    }

    void putBack() {
        editor?.show()
        place(main, before.minX, before.minY, before.width, before.height)
        main.setMaximized(wasMaximized)
    }

    private static void place(Stage window, double x, double y, double width, double height) {
        window.setX(x)
        window.setY(y)
        window.setWidth(width)
        window.setHeight(height)
    }
}
