/*
 * Asks which assignment is to be read and by whom, unless the settings say so.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.beans.value.ChangeListener
import javafx.event.EventHandler
import javafx.scene.control.ButtonType
import javafx.scene.control.ComboBox
import javafx.scene.control.Dialog
import javafx.scene.control.Label
import javafx.scene.control.TextField
import javafx.scene.layout.GridPane
import javafx.scene.layout.Priority
import javafx.scene.layout.StackPane
import javafx.util.Callback
import javafx.util.StringConverter

class PycytoReadingChoice {
    private static final Map<String, String> WORDS = [
        (PycytoReadingTask.READING): 'Read the cells, blinded',
        (PycytoReadingTask.CONSENSUS): 'Consensus: look together at cells that readers differ on',
        (PycytoReadingTask.ADJUDICATION): 'Third reader: decide what was left open',
    ]

    private final Dialog<ButtonType> dialog = new Dialog<>()
    private final ComboBox<PycytoAssignment> assignment = new ComboBox<>()
    private final ComboBox<String> mode = new ComboBox<>()
    private final ComboBox<String> reader = new ComboBox<>()
    private final TextField people = new TextField()
    private final Label whoLabel = new Label()
    private final StackPane who = new StackPane(reader, people)

    /** The task, or null when the user has cancelled. */
    static PycytoReadingTask ask(PycytoProject project, PycytoAssignment preset, Map<String, Object> config) {
        if (config.reader) {
            // A reader alone is here to read, not to agree with themselves.
            String mode = config.mode ?: (config.reader in preset.readers ? PycytoReadingTask.READING : PycytoReadingTask.due(preset))
            return PycytoReadingTask.of(preset, mode, config.reader as String, config.feedback as boolean)
        }
        def choice = Pycyto.inWindow { new PycytoReadingChoice(project, preset, config.mode as String).shown() }
        return choice?.task(config.feedback as boolean)
    }

    private PycytoReadingChoice(PycytoProject project, PycytoAssignment preset, String presetMode) {
        assignment.items.setAll(PycytoAssignment.all(project).findAll { it.projectId == preset.projectId }.reverse())
        assignment.converter = converter { PycytoAssignment it -> "${it.name}   (${it.kind}, ${it.cells.size()} cells${it.orders.values().any { order -> order.size() > it.cells.size() } ? ', some twice' : ''})".toString() }
        mode.converter = converter { String it -> WORDS[it] }
        reader.converter = converter { String it -> "${it}   (${PycytoReads.by(assignment.value, it).count} of ${assignment.value.orders[it].size()} read)".toString() }
        reader.promptText = 'Choose your name'
        people.promptText = 'Who sits at the screen, as A + B'
        [assignment, mode, reader].each { it.maxWidth = Double.MAX_VALUE }
        GridPane.setHgrow(assignment, Priority.ALWAYS)
        assignment.valueProperty().addListener({ source, before, now -> assigned(presetMode) } as ChangeListener)
        mode.valueProperty().addListener({ source, before, now -> modeChosen() } as ChangeListener)
        lay(project)
        assignment.value = assignment.items.find { it.name == preset.name }
    }

    private void lay(PycytoProject project) {
        def grid = new GridPane()
        grid.hgap = grid.vgap = 10d
        grid.addRow(0, new Label('Assignment'), assignment)
        grid.addRow(1, new Label('What to do'), mode)
        grid.addRow(2, whoLabel, who)
        dialog.title = 'pycyto: read_cells'
        dialog.headerText = 'QuPath is hidden while you read, and comes back when you close the window.'
        dialog.dialogPane.content = grid
        dialog.dialogPane.buttonTypes.setAll(ButtonType.OK, ButtonType.CANCEL)
        dialog.dialogPane.lookupButton(ButtonType.OK).disableProperty().bind(
            reader.visibleProperty().and(reader.valueProperty().isNull()) | people.visibleProperty().and(people.textProperty().isEmpty()))
        dialog.initOwner(project.gui.stage)
        dialog.onShown = { reader.requestFocus() } as EventHandler  // the rest is preset
    }

    private void assigned(String presetMode) {
        reader.items.setAll(assignment.value.readers)
        reader.value = assignment.value.readers.size() == 1 ? assignment.value.readers[0] : null  // never somebody else by mistake
        mode.items.setAll(assignment.value.proficiency ? [PycytoReadingTask.READING] : PycytoReadingTask.MODES)
        mode.value = presetMode ?: PycytoReadingTask.due(assignment.value)
    }

    private void modeChosen() {
        boolean isReading = mode.value == PycytoReadingTask.READING
        reader.visible = isReading
        people.visible = !isReading
        whoLabel.text = isReading ? 'Reader' : 'Names'
    }

    private PycytoReadingChoice shown() {
        dialog.resultConverter = { it } as Callback
        return dialog.showAndWait().orElse(ButtonType.CANCEL) == ButtonType.OK ? this : null
    }

    private PycytoReadingTask task(boolean isTold) {
        return PycytoReadingTask.of(assignment.value, mode.value, reader.visible ? reader.value : people.text, isTold)
    }

    private static <T> StringConverter<T> converter(Closure<String> words) {
        return new StringConverter<T>() {
            @Override
            String toString(T value) { value == null ? '' : words(value) }

            @Override
            T fromString(String text) { null }
        }
    }
}
