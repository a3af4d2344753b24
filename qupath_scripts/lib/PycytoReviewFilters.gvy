/*
 * Which cells come up in the review panel: by state, by what model and expert call them, by P(HSIL).
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.beans.value.ChangeListener
import javafx.scene.control.ComboBox
import javafx.scene.control.Spinner
import javafx.scene.layout.GridPane
import javafx.scene.layout.HBox

class PycytoReviewFilters {
    private static final String ANY = 'any'

    final GridPane node = new GridPane(hgap: 8, vgap: 6)
    private final Closure onChange
    private final ComboBox<String> state
    private final ComboBox<String> predicted
    private final ComboBox<String> expert
    private final Spinner<Integer> from
    private final Spinner<Integer> to

    PycytoReviewFilters(List<String> labels, Closure onChange) {
        this.onChange = onChange
        state = box([ANY] + PycytoCell.STATES, PycytoCell.OPEN)
        predicted = box([ANY] + labels, ANY)
        expert = box([ANY, 'none'] + labels, ANY)
        from = spinner(0)
        to = spinner(100)
        [['Show cells that are', state], ['Model says', predicted], ['Expert says', expert],
         ['P(HSIL) in %', new HBox(6, from, PycytoCellCard.text('to', ''), to)]].eachWithIndex { row, i ->
            node.add(PycytoCellCard.text(row[0], PycytoCellCard.FAINT), 0, i)
            node.add(row[1], 1, i)
        }
    }

    /** As PycytoReview takes them. */
    Map<String, Object> getChosen() {
        return [state: valueOf(state), predicted: valueOf(predicted), expert: valueOf(expert),
                hsil_from: from.value ? from.value / 100.0d : null, hsil_to: to.value < 100 ? to.value / 100.0d : null]
    }

    private static String valueOf(ComboBox<String> box) {
        return box.value == ANY ? null : box.value
    }

    private ComboBox<String> box(List<String> values, String chosen) {
        def box = new ComboBox<String>()
        box.items.setAll(values)
        box.setValue(chosen)
        box.setFocusTraversable(false)
        box.valueProperty().addListener({ p, was, is -> onChange.call() } as ChangeListener)
        return box
    }

    private Spinner<Integer> spinner(int percent) {
        def spinner = new Spinner<Integer>(0, 100, percent, 5)
        spinner.setEditable(true)
        spinner.setPrefWidth(80)
        spinner.setFocusTraversable(false)
        spinner.editor.setFocusTraversable(false)
        spinner.valueProperty().addListener({ p, was, is -> onChange.call() } as ChangeListener)
        return spinner
    }
}
