/*
 * What the review panel says of a cell: why it comes up, what the model and the expert call it, what
 * was decided.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.geometry.Pos
import javafx.scene.Node
import javafx.scene.control.Label
import javafx.scene.layout.ColumnConstraints
import javafx.scene.layout.GridPane
import javafx.scene.layout.HBox
import javafx.scene.layout.Priority
import javafx.scene.layout.Region
import javafx.scene.layout.StackPane
import javafx.scene.layout.VBox
import qupath.lib.common.ColorTools
import qupath.lib.objects.classes.PathClass

class PycytoCellCard {
    // Text that matters less, in any theme of QuPath.
    static final String FAINT = '-fx-opacity: 0.7;'
    private static final double WIDTH_OF_BAR = 170

    final VBox node = new VBox(8)
    private final double hsilAbove

    PycytoCellCard(double hsilAbove) {
        this.hsilAbove = hsilAbove
        node.minHeight = 290  // the keys below it stay where they are from cell to cell
    }

    /**
     * Shows a cell.
     *
     * @param isHidden  whether predictions are hidden: then nothing of the model is told
     */
    void show(PycytoCell cell, String imageName, boolean isHidden) {
        node.children.setAll(
            text(imageName, FAINT),
            text(isHidden ? 'Predictions are hidden.' : reason(cell), '-fx-font-weight: bold;'),
            row('Model', isHidden ? text('hidden', FAINT) : chip(cell.predicted)),
            row('Expert', cell.expertClass ? chip(cell.expertClass) : text('no class yet', FAINT)),
            row('Decided', decided(cell)))
        if (!isHidden) {
            node.children.add(bars(cell))
        }
        notes(cell, isHidden).each { node.children.add(text(it, '')) }
    }

    void showNone() {
        node.children.setAll(text('No cell of this run fits what you have chosen below.', '-fx-font-weight: bold;'))
    }

    /** Why a cell comes up where it does. */
    String reason(PycytoCell cell) {
        int urgency = cell.urgency(hsilAbove)
        if (urgency == PycytoCell.UNDERCALL) {
            return "Possible undercall: P(HSIL) is ${percent(cell.hsil)}"
        }
        if (urgency == PycytoCell.DISAGREEMENT) {
            int steps = cell.severityDifference
            return steps == 0 ? 'Model and expert disagree'
                : "The model is ${Math.abs(steps)} step${Math.abs(steps) == 1 ? '' : 's'} ${steps > 0 ? 'above' : 'below'} the expert"
        }
        return "The model prefers its class by ${percent(cell.margin)}"
    }

    private static List<String> notes(PycytoCell cell, boolean isHidden) {
        List<String> notes = []
        if (cell.elsewhere) {
            notes << "Decided before, and ${cell.elsewhere}: please decide again.".toString()
        }
        if (cell.isTrainedOn && !isHidden) {
            notes << 'The model was trained on this very cell: what it says here proves nothing.'
        }
        return notes
    }

    private static Node decided(PycytoCell cell) {
        def shown = new HBox(6, cell.label ? chip(cell.label) : text(cell.state == PycytoCell.OPEN ? 'not yet' : '', FAINT))
        if (cell.state in [PycytoCell.FLAGGED, PycytoCell.SKIPPED]) {
            shown.children.add(text(cell.state, '-fx-font-weight: bold;'))
        }
        shown.alignment = Pos.CENTER_LEFT
        return shown
    }

    private static Node row(String name, Node what) {
        def title = text(name, FAINT)
        title.minWidth = 70
        def row = new HBox(8, title, what)
        row.alignment = Pos.CENTER_LEFT
        return row
    }

    /** The probability of each class as a bar. */
    private static Node bars(PycytoCell cell) {
        def grid = new GridPane(hgap: 8, vgap: 4)
        grid.columnConstraints.setAll(new ColumnConstraints(70), new ColumnConstraints(WIDTH_OF_BAR), new ColumnConstraints(50))
        cell.probabilityByLabel.eachWithIndex { String label, Double value, int row ->
            grid.add(text(label, FAINT), 0, row)
            grid.add(bar(value, colour(label)), 1, row)
            grid.add(text(percent(value), ''), 2, row)
        }
        return grid
    }

    private static Node bar(double value, String colour) {
        def filled = new Region(style: "-fx-background-color: ${colour}; -fx-background-radius: 3;".toString())
        filled.setMinWidth(value * WIDTH_OF_BAR)
        filled.setMaxWidth(value * WIDTH_OF_BAR)
        def groove = new StackPane(filled)
        groove.setStyle('-fx-background-color: derive(-fx-base, 12%); -fx-background-radius: 3;')
        groove.setMinHeight(10)
        groove.setMaxHeight(10)
        StackPane.setAlignment(filled, Pos.CENTER_LEFT)
        return groove
    }

    /** A class in its colour. */
    static Label chip(String className) {
        def chip = new Label(className)
        chip.setStyle("-fx-background-color: ${colour(className)}; -fx-text-fill: ${isDark(className) ? 'white' : 'black'}; "
            + '-fx-background-radius: 4; -fx-padding: 2 8 2 8; -fx-font-weight: bold;')
        return chip
    }

    static String colour(String className) {
        int rgb = PathClass.fromString(className).getColor()
        return String.format('#%02x%02x%02x', ColorTools.red(rgb), ColorTools.green(rgb), ColorTools.blue(rgb))
    }

    /** Whether white letters are read more easily on the colour of a class. */
    private static boolean isDark(String className) {
        int rgb = PathClass.fromString(className).getColor()
        return 0.299 * ColorTools.red(rgb) + 0.587 * ColorTools.green(rgb) + 0.114 * ColorTools.blue(rgb) < 140
    }

    static Label text(Object what, String style) {
        def label = new Label(what.toString())
        label.setStyle(style)
        label.setWrapText(true)
        HBox.setHgrow(label, Priority.SOMETIMES)
        return label
    }

    static String percent(double value) {
        return "${Math.round(100 * value)} %"
    }
}
