/*
 * A canvas that shows the surroundings of one cell: pixels, a thin mark at the cell, and a scale bar.
 * Drag or scroll to look around. It draws nothing that QuPath knows of the cell.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executor
import java.util.function.BiConsumer
import javafx.animation.PauseTransition
import javafx.application.Platform
import javafx.beans.value.ChangeListener
import javafx.event.EventHandler
import javafx.scene.canvas.Canvas
import javafx.scene.canvas.GraphicsContext
import javafx.scene.input.MouseEvent
import javafx.scene.input.ScrollEvent
import javafx.scene.layout.Pane
import javafx.scene.paint.Color
import javafx.util.Duration

class PycytoReadingView {
    // As a 40x objective shows it, twice enlarged: an intermediate cell is some 400 pixels wide.
    private static final double USUAL_MICROMETRES = 0.125d  // per pixel of the screen
    private static final Color SURROUNDINGS = Color.gray(0.82d)
    private static final Color SHADE = Color.gray(0d, 0.6d)
    private static final List<Integer> SCALES = [500, 200, 100, 50, 20, 10, 5, 2]  // micrometres
    private static final double LONGEST_SCALE = 160d
    private static final double POINT = 80d               // distance of the mark from a point, in pixels of the screen
    private static final Duration PATIENCE = Duration.millis(400d)  // before it is said that an image is being opened

    final Pane node = new Pane()
    private final Canvas canvas = new Canvas()
    private final PycytoPictures pictures
    private double micrometres = USUAL_MICROMETRES  // per pixel of the screen, as the reader has chosen
    private boolean isMarked = true
    private PycytoAssignment.Cell cell
    private PycytoPictures.Picture picture  // null until it is read
    private PycytoFrame frame
    private PycytoAssignment.Cell cellAhead
    private CompletableFuture<PycytoPictures.Picture> pictureAhead
    private final PauseTransition waiting = new PauseTransition(PATIENCE)
    private double dragX, dragY

    PycytoReadingView(PycytoPictures pictures) {
        this.pictures = pictures
        node.children.add(canvas)
        node.minWidth = node.minHeight = 200d
        canvas.widthProperty().bind(node.widthProperty())
        canvas.heightProperty().bind(node.heightProperty())
        def resize = { source, before, now -> resized() } as ChangeListener
        canvas.widthProperty().addListener(resize)
        canvas.heightProperty().addListener(resize)
        waiting.onFinished = { sayThatItTakesTime() } as EventHandler
        canvas.onMousePressed = { MouseEvent e -> dragX = e.x; dragY = e.y } as EventHandler
        canvas.onMouseDragged = { MouseEvent e -> move(dragX - e.x, dragY - e.y); dragX = e.x; dragY = e.y } as EventHandler
        canvas.onScroll = { ScrollEvent e -> magnify(Math.pow(1.0015d, e.deltaY), e.x, e.y) } as EventHandler
    }

    // --- which cell ---------------------------------------------------------------------------------

    /**
     * Shows a cell, and reads the one after it ahead.
     *
     * @param shown   called when the cell can be seen
     * @param failed  called with the reason when its image cannot be read
     */
    void show(PycytoAssignment.Cell next, PycytoAssignment.Cell after, Closure shown, Closure failed) {
        cell = next
        picture = null
        draw()
        waiting.playFromStart()
        def reading = next.is(cellAhead) ? pictureAhead : around(next)
        cellAhead = after
        reading.whenCompleteAsync({ found, problem ->
            if (!cell.is(next)) {
                return  // the reader has gone on or back meanwhile
            }
            if (problem != null) {
                failed(problem.cause ?: problem)
                return
            }
            picture = found
            centre()
            shown()
        } as BiConsumer, Platform.&runLater as Executor)
        pictureAhead = after == null ? null : around(after)
    }

    private CompletableFuture<PycytoPictures.Picture> around(PycytoAssignment.Cell wanted) {
        return pictures.around(wanted, micrometres, Math.max(canvas.width, 1d), Math.max(canvas.height, 1d))
    }

    // --- looking around -----------------------------------------------------------------------------

    /** The cell in the middle, at the magnification that was chosen last. */
    void centre() {
        if (picture != null) {
            look(PycytoFrame.around(cell, micrometres, picture.pixelSize, canvas.width, canvas.height))
        }
    }

    /** The magnification that all cells come up with at first. */
    void usualSize() {
        micrometres = USUAL_MICROMETRES
        centre()
    }

    void move(double dx, double dy) {
        if (picture != null) {
            look(frame.moved(dx, dy, picture.imageWidth, picture.imageHeight))
        }
    }

    void magnify(double factor, double x = canvas.width / 2d, double y = canvas.height / 2d) {
        if (picture != null) {
            look(frame.magnified(factor, x, y, picture.imageWidth, picture.imageHeight))
            micrometres = frame.downsample * PycytoFrame.usedPixel(picture.pixelSize)
        }
    }

    void toggleMark() {
        isMarked = !isMarked
        draw()
    }

    private void resized() {
        if (picture != null && canvas.width > 0 && canvas.height > 0) {
            look(frame.resized(canvas.width, canvas.height))
        }
    }

    /** Draws what is there at once, and reads what is missing. */
    private void look(PycytoFrame wanted) {
        frame = wanted
        draw()
        if (!isEnough()) {
            def asked = cell
            pictures.inFrame(asked, wanted) { frame.is(wanted) }.whenCompleteAsync({ found, problem ->
                if (found != null && cell.is(asked)) {
                    picture = found
                    draw()
                }
            } as BiConsumer, Platform.&runLater as Executor)
        }
    }

    private boolean isEnough() {
        boolean isSharp = picture.downsample <= Math.max(1d, frame.downsample) * 1.05d
        return isSharp
            && picture.left <= Math.max(frame.imageX(0d), 0d) && picture.left + picture.width >= Math.min(frame.imageX(frame.width), picture.imageWidth)
            && picture.top <= Math.max(frame.imageY(0d), 0d) && picture.top + picture.height >= Math.min(frame.imageY(frame.height), picture.imageHeight)
    }

    // --- drawing ------------------------------------------------------------------------------------

    private void draw() {
        def g = canvas.graphicsContext2D
        g.fill = SURROUNDINGS
        g.fillRect(0d, 0d, canvas.width, canvas.height)
        if (picture == null) {
            return
        }
        g.drawImage(picture.pixels, frame.screenX(picture.left), frame.screenY(picture.top),
            picture.width / frame.downsample as double, picture.height / frame.downsample as double)
        if (isMarked) {
            drawMark(g)
        }
        if (!Double.isNaN(picture.pixelSize)) {
            drawScale(g)
        }
    }

    private void sayThatItTakesTime() {
        if (picture == null) {
            canvas.graphicsContext2D.fill = Color.gray(0.35d)
            canvas.graphicsContext2D.fillText('Opening the image ...', 24d, 36d)
        }
    }

    /** Four corners around the cell, at some distance: its edge stays free to be judged. */
    private void drawMark(GraphicsContext g) {
        double extent = Math.max(cell.width, cell.height) / frame.downsample
        double half = extent > 0d ? Math.max(extent * 0.56d, 24d) : POINT  // a point has no extent
        double arm = Math.min(half * 0.3d, 22d) as double
        double x = frame.screenX(cell.x), y = frame.screenY(cell.y)
        [[SHADE, 3d], [Color.WHITE, 1.2d]].each { colour, width ->
            g.stroke = colour
            g.lineWidth = width
            [[-1, -1], [1, -1], [1, 1], [-1, 1]].each { sx, sy ->
                double cornerX = x + sx * half, cornerY = y + sy * half
                g.strokePolyline([cornerX, cornerX, cornerX - sx * arm] as double[], [cornerY - sy * arm, cornerY, cornerY] as double[], 3)
            }
        }
    }

    private void drawScale(GraphicsContext g) {
        double perMicrometre = 1d / (picture.pixelSize * frame.downsample)
        int micrometres = SCALES.find { it * perMicrometre <= LONGEST_SCALE } ?: SCALES.last()
        double length = micrometres * perMicrometre, x = 20d, y = canvas.height - 20d
        g.fill = Color.gray(1d, 0.75d)
        g.fillRoundRect(x - 8d, y - 24d, length + 16d, 34d, 8d, 8d)
        g.fill = Color.gray(0.1d)
        g.fillRect(x, y - 1d, length, 3d)
        g.fillText("${micrometres} \u00b5m", x, y - 7d)
    }
}
