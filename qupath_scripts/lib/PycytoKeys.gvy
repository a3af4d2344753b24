/*
 * The keys of a review: each is a button too, which says what the key does.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.event.EventHandler
import javafx.scene.control.Button
import javafx.scene.input.KeyCode
import javafx.scene.input.KeyEvent
import javafx.scene.layout.FlowPane
import javafx.scene.layout.VBox

class PycytoKeys {
    final VBox node = new VBox(8)
    private final List<String> labels
    private final Closure<Void> perform
    private final Closure<Void> onLabel
    private final FlowPane classes = new FlowPane(6, 6)
    private final FlowPane others = new FlowPane(6, 6)
    private final Map<KeyCode, Closure<Void>> actions = [:]

    /**
     * @param labels   classes, that of the digit 1 first
     * @param onLabel  gets the class of the digit that was pressed
     * @param perform  gets each action that a key or a button asks for, to carry it out
     */
    PycytoKeys(List<String> labels, Closure<Void> onLabel, Closure<Void> perform) {
        this.labels = labels
        this.perform = perform
        this.onLabel = onLabel
        labels.eachWithIndex { String label, int i ->
            def button = button("${i + 1}  ${label}") { onLabel.call(label) }
            button.setStyle(PycytoCellCard.chip(label).style + '-fx-padding: 5 12 5 12; -fx-background-insets: 0; -fx-cursor: hand;')
            classes.children.add(button)
        }
        node.children.setAll(classes, others)
    }

    /** Adds a key, with the words on its button. */
    void add(String words, List<KeyCode> codes, Closure<Void> action) {
        codes.each { actions[it] = action }
        others.children.add(button(words, action))
    }

    /** Carries out what a key stands for; false where it stands for nothing. */
    boolean press(KeyEvent event) {
        String label = labelOf(event)
        Closure<Void> action = label == null ? actions[event.code] : { onLabel.call(label) }
        if (action != null) {
            perform.call(action)
        }
        return action != null
    }

    /** The class of a digit, on the number pad too, and on keyboards where digits want Shift. */
    private String labelOf(KeyEvent event) {
        String text = event.text ==~ /[1-9]/ ? event.text : event.code.getName().replaceAll(/^(Numpad )?([1-9])$/, '$2')
        int number = text ==~ /[1-9]/ ? text as int : 0
        return number > 0 && number <= labels.size() ? labels[number - 1] : null
    }

    private Button button(String text, Closure<Void> action) {
        def button = new Button(text)
        button.setFocusTraversable(false)  // so that Enter and Space stay keys of the window
        button.onAction = { perform.call(action) } as EventHandler
        return button
    }
}
