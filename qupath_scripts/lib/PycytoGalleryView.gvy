/*
 * What the gallery's window looks like: the classes above, a page of cells, what is known of the chosen
 * one and the keys below.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.function.BiConsumer
import java.util.function.Consumer
import javafx.beans.value.ChangeListener
import javafx.collections.FXCollections
import javafx.event.EventHandler
import javafx.geometry.Insets
import javafx.geometry.Pos
import javafx.scene.control.ChoiceBox
import javafx.scene.control.Label
import javafx.scene.control.ToggleButton
import javafx.scene.control.ToggleGroup
import javafx.scene.input.MouseEvent
import javafx.scene.layout.BorderPane
import javafx.scene.layout.FlowPane
import javafx.scene.layout.GridPane
import javafx.scene.layout.HBox
import javafx.scene.layout.Priority
import javafx.scene.layout.Region
import javafx.scene.layout.VBox

class PycytoGalleryView {
    private static final double GAP = 6
    private static final String ALL = 'all'
    private static final List<String> KEYS = ['Arrows  move', 'Space  as predicted', 'A  accept the page', 'S  skip', 'F  flag', 'Backspace  take back',
                                              'Page Up/Down  turn', 'Tab  next class', 'Enter  to QuPath', 'Esc  back from there']

    final BorderPane root = new BorderPane()
    final Label message = new Label()
    private final PycytoGallery gallery
    private final Map<String, String> imageNames  // by entry ID
    private final GridPane grid = new GridPane()
    private final List<PycytoTile> tiles
    private final Map<String, ToggleButton> classes
    private final ChoiceBox<String> states = new ChoiceBox<>(FXCollections.observableArrayList([*PycytoCell.STATES, ALL]))
    private final Label progress = new Label()
    private final Label about = new Label()

    /**
     * @param reviewer  name of the person at the screen
     * @param onClass   is told of a predicted class whose cells somebody wants to see
     * @param onCell    is told of a place on the page that was clicked, and how often
     */
    PycytoGalleryView(PycytoGallery gallery, Map<String, String> imageNames, String reviewer, Consumer<String> onClass, BiConsumer<Integer, Integer> onCell) {
        this.gallery = gallery
        this.imageNames = imageNames
        tiles = (0..<gallery.size).collect { tile(it, onCell) }
        classes = gallery.classes.collectEntries { [it, classButton(it, onClass)] }
        states.value = PycytoCell.OPEN
        states.focusTraversable = false
        states.onAction = { onClass.accept(gallery.label) } as EventHandler
        build(reviewer)
    }

    /** In which state cells are to be shown; null for all. */
    String getState() {
        return states.value == ALL ? null : states.value
    }

    // --- made once -------------------------------------------------------------------------------

    private void build(String reviewer) {
        def group = new ToggleGroup()
        classes.values().each { it.toggleGroup = group }
        (classes.values() + [states, progress]).each { it.minWidth = Region.USE_PREF_SIZE }  // numbers are never cut short
        message.style = '-fx-font-weight: bold;'
        message.wrapText = true
        grid.hgap = grid.vgap = GAP
        grid.alignment = Pos.CENTER
        grid.setMinSize(0, 0)
        [grid.widthProperty(), grid.heightProperty()].each { it.addListener({ p, was, now -> fit() } as ChangeListener) }
        root.padding = new Insets(2 * GAP)
        root.top = row(classes.values().toList() + [states, space(), progress, new Label("Reviewer: ${reviewer}")])
        root.center = grid
        root.bottom = new VBox(GAP, about, message, keys())
        BorderPane.setMargin(grid, new Insets(2 * GAP, 0, 2 * GAP, 0))
    }

    private FlowPane keys() {
        def digits = gallery.classes.indexed().collect { index, label ->
            new Label().tap { PycytoTile.badge(it, "${index + 1}  ${label}", PycytoTile.colourOf(label)) }
        }
        def keys = new FlowPane(2 * GAP, GAP)
        keys.children.setAll(digits + KEYS.collect { new Label(it).tap { setStyle(PycytoCellCard.FAINT) } })
        return keys
    }

    private static HBox row(List<Region> nodes) {
        def row = new HBox(2 * GAP)
        row.children.setAll(nodes)
        row.alignment = Pos.CENTER_LEFT
        return row
    }

    private static Region space() {
        def space = new Region()
        HBox.setHgrow(space, Priority.ALWAYS)
        return space
    }

    private static ToggleButton classButton(String label, Consumer<String> onClass) {
        def square = new Label('\u25a0')
        square.style = "-fx-text-fill: ${PycytoTile.colourOf(label)};"
        def button = new ToggleButton('', square)
        button.focusTraversable = false
        button.onAction = { onClass.accept(label) } as EventHandler
        return button
    }

    private PycytoTile tile(int place, BiConsumer<Integer, Integer> onCell) {
        def tile = new PycytoTile()
        tile.onMouseClicked = { MouseEvent it -> onCell.accept(place, it.clickCount) } as EventHandler
        grid.add(tile, place % gallery.columns, place.intdiv(gallery.columns))
        return tile
    }

    private void fit() {
        double wide = (grid.width - (gallery.columns - 1) * GAP) / gallery.columns
        double high = (grid.height - (gallery.rows - 1) * GAP) / gallery.rows
        double side = Math.max(40.0d, Math.floor(Math.min(wide, high)))
        tiles.each { it.setSide(side) }
    }

    // --- as things are now -----------------------------------------------------------------------

    void showPage(PycytoThumbnails thumbnails) {
        tiles.indices.each { showPlace(it, thumbnails) }
    }

    void showPlace(int place, PycytoThumbnails thumbnails) {
        List<PycytoCell> page = gallery.pageCells()
        tiles[place].visible = place < page.size()
        if (place < page.size()) {
            def cell = page[place]
            tiles[place].show(cell, thumbnails.of(cell), thumbnails.problems[cell.key] ?: '', gallery.isSuspect(cell), cell.is(gallery.chosen))
        }
    }

    /**
     * @param all     cells of the run, in whatever class
     * @param counts  how many of them are in each state
     */
    void showNumbers(List<PycytoCell> all, Map<String, Integer> counts) {
        Map<String, Integer> open = PycytoGallery.openByLabel(all)
        classes.each { label, button ->
            button.text = "${label}  ${open[label] ?: 0}"
            button.selected = label == gallery.label
            button.style = "-fx-font-weight: ${button.selected ? 'bold' : 'normal'};"
        }
        int aside = counts[PycytoCell.SKIPPED] + counts[PycytoCell.FLAGGED]
        progress.text = "Page ${gallery.page + 1} of ${gallery.pages}      ${counts[PycytoCell.DECIDED]} of ${all.size()} decided${aside ? ", ${aside} set aside" : ''}      "
    }

    void describe(PycytoCell cell) {
        String probabilities = cell?.probabilityByLabel?.collect { label, p -> "${label} ${PycytoCellCard.percent(p)}" }?.join('   ')
        about.text = cell == null ? '' : [imageNames[cell.entryId], probabilities, cell.expertClass ? "expert: ${cell.expertClass}" : '', cell.elsewhere ? "decided before, and ${cell.elsewhere}" : ''].findAll().join('      ')
    }
}
