/*
 * How the window for blinded reading looks: who reads and how far, the cell, what can be answered, the last page.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.event.EventHandler
import javafx.geometry.Insets
import javafx.geometry.Pos
import javafx.scene.Node
import javafx.scene.control.Button
import javafx.scene.control.Label
import javafx.scene.control.ProgressBar
import javafx.scene.control.TextField
import javafx.scene.input.KeyCode
import javafx.scene.layout.BorderPane
import javafx.scene.layout.HBox
import javafx.scene.layout.Priority
import javafx.scene.layout.Region
import javafx.scene.layout.StackPane
import javafx.scene.layout.VBox
import qupath.lib.gui.tools.GuiTools

class PycytoReadingLook {
    private static final Map<String, String> TITLES = [
        (PycytoReadingTask.READING): 'Blinded reading',
        (PycytoReadingTask.CONSENSUS): 'Consensus',
        (PycytoReadingTask.ADJUDICATION): 'Third reader',
    ]
    // On the pixels of the image: the same in a light and in a dark QuPath.
    private static final String ON_IMAGE = '-fx-background-color: rgba(25,25,25,0.82); -fx-text-fill: white; ' +
        '-fx-padding: 8 14 8 14; -fx-background-radius: 6; -fx-font-size: 15px;'
    private static final String KEY = '-fx-border-color: -fx-text-background-color; -fx-border-radius: 3; ' +
        '-fx-padding: 0 5 0 5; -fx-opacity: 0.65; -fx-font-size: 11px;'

    final BorderPane root = new BorderPane()
    private final PycytoReadingTask task
    private final Closure press  // does what a key does
    private final Label progress = new Label()
    private final ProgressBar bar = new ProgressBar(0d)
    private final Label said = onImage(Pos.TOP_CENTER)
    private final Label note = onImage(Pos.BOTTOM_CENTER)
    private final Node cellPage
    private final HBox answers = new HBox(10d)

    PycytoReadingLook(PycytoReadingTask task, Node cell, Closure press) {
        this.task = task
        this.press = press
        cellPage = new StackPane(cell, said, note)
        root.center = cellPage
        root.top = head()
        root.bottom = foot()
    }

    // --- what changes -------------------------------------------------------------------------------

    void showProgress(PycytoReading reading) {
        int all = task.positions.size()
        bar.progress = reading.count / Math.max(all, 1) as double
        progress.text = reading.position == null ? "${reading.count} of ${all}" : "Cell ${task.positions.indexOf(reading.position) + 1} of ${all}"
    }

    void showCells() {
        root.center = cellPage
        answers.disable = false
        write(said, '')
    }

    void showSaid(List<String> words) {
        write(said, words ? 'The readers said:   ' + words.collect { inWords(it) }.join('   |   ') : '')
    }

    void tell(String text) {
        write(note, text)
    }

    private static void write(Label label, String text) {
        label.text = text
        label.visible = !text.isEmpty()
    }

    static String inWords(String word) {
        return word == PycytoReads.SKIP ? 'cannot say' : word == PycytoReads.FLAG ? 'flagged' : word
    }

    static String cells(Collection<Integer> some) {
        return some.size() == 1 ? '1 cell' : "${some.size()} cells"
    }

    /** The last page: what was done, and which file to send. */
    void showEnd(PycytoReading reading) {
        def texts = (task.summary() + unreadable(reading) + task.sending()).withIndex().collect { line, n -> text(line, n == 0 ? 22 : 14) }
        def path = new TextField(task.reads.file.path)
        path.editable = false
        path.focusTraversable = false
        HBox.setHgrow(path, Priority.ALWAYS)
        def show = new Button('Show the file')
        show.onAction = { GuiTools.browseDirectory(task.folder) } as EventHandler
        def page = new VBox(16d, *texts, new HBox(8d, path, show))
        page.maxWidth = 640d
        page.alignment = Pos.CENTER_LEFT
        root.center = new StackPane(page)
        answers.disable = true
    }

    private List<String> unreadable(PycytoReading reading) {
        if (!reading.unreadable) {
            return []
        }
        String images = reading.unreadable.collect { task.assignment.cells[task.reads.order[it]].imageId }.unique().join(', ')
        return ["Left unread, since the image cannot be opened: ${cells(reading.unreadable)}. Put the images with entry ID ${images} "
            + 'back to where the project expects them, then start again.'] as List<String>
    }

    // --- what stays ---------------------------------------------------------------------------------

    private Node head() {
        def who = new Label(task.reads.reader)
        who.style = '-fx-font-weight: bold;'
        def what = new Label(TITLES[task.mode])
        what.style = '-fx-opacity: 0.7;'
        bar.prefWidth = 180d
        return row(who, what, space(), progress, bar)
    }

    private Node foot() {
        task.assignment.classes.eachWithIndex { label, n -> answers.children << button("${n + 1}", label, KeyCode.valueOf("DIGIT${n + 1}")) }
        answers.children << button('S', 'Cannot say', KeyCode.S) << button('F', 'Flag', KeyCode.F)
        def keys = new Label('Drag or arrows: look around     Wheel, + and -: magnify     C: centre     R: usual size     M: mark on or off')
        keys.style = '-fx-opacity: 0.6; -fx-font-size: 11px;'
        keys.padding = new Insets(0d, 14d, 8d, 14d)
        return new VBox(row(answers, space(), button('Backspace', 'Back', KeyCode.BACK_SPACE), button('Esc', 'Close', KeyCode.ESCAPE)), keys)
    }

    /** A button takes no focus: keys mean the same whatever was clicked last. */
    private Button button(String key, String text, KeyCode code) {
        def cap = new Label(key)
        cap.style = KEY
        def made = new Button(text, cap)
        made.focusTraversable = false
        made.onAction = { press(code) } as EventHandler
        return made
    }

    private static Label text(String line, int size) {
        def made = new Label(line)
        made.wrapText = true
        made.minHeight = Region.USE_PREF_SIZE  // all its lines
        made.style = "-fx-font-size: ${size}px;"
        return made
    }

    private static HBox row(Node... nodes) {
        def made = new HBox(10d, nodes)
        made.alignment = Pos.CENTER_LEFT
        made.padding = new Insets(8d, 14d, 8d, 14d)
        return made
    }

    private static Region space() {
        def made = new Region()
        HBox.setHgrow(made, Priority.ALWAYS)
        return made
    }

    private static Label onImage(Pos place) {
        def made = new Label()
        made.style = ON_IMAGE
        made.visible = false
        made.mouseTransparent = true
        StackPane.setAlignment(made, place)
        StackPane.setMargin(made, new Insets(18d))
        return made
    }
}
