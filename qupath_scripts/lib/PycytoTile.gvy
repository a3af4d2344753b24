/*
 * One place of the gallery: a picture in a frame of the predicted class, P(HSIL), what the expert says where
 * that is another class, and what was decided.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.geometry.Pos
import javafx.scene.control.Label
import javafx.scene.image.Image
import javafx.scene.image.ImageView
import javafx.scene.layout.StackPane

class PycytoTile extends StackPane {
    private static final int FRAME = 4
    private static final String SUSPECT = '#c62828', PLAIN = 'rgba(0,0,0,0.55)', PUT_OFF = '#616161'

    private final ImageView picture = new ImageView()
    private final Label none = new Label()      // in place of the picture
    private final Label hsil = new Label()
    private final Label said = new Label()      // by the expert or in a review

    PycytoTile() {
        picture.smooth = true
        picture.preserveRatio = true
        none.wrapText = true
        setAlignment(hsil, Pos.TOP_RIGHT)
        setAlignment(said, Pos.BOTTOM_CENTER)
        getChildren().addAll(none, picture, hsil, said)
    }

    void setSide(double side) {
        setMinSize(side, side)
        setMaxSize(side, side)
        double inside = Math.max(1.0d, side - 4 * FRAME)
        picture.fitWidth = inside
        said.maxWidth = inside
        none.maxWidth = inside
    }

    /**
     * @param image      the picture, or null
     * @param missing    what to say in its place
     * @param isSuspect  whether P(HSIL) is so high that the cell wants a key of its own
     */
    void show(PycytoCell cell, Image image, String missing, boolean isSuspect, boolean isChosen) {
        picture.image = image
        none.text = image == null ? missing : ''
        // The ring around the chosen one is black on a light window and white on a dark one.
        String ring = isChosen ? '-fx-text-background-color' : 'transparent'
        setStyle("-fx-border-color: ${ring}, ${colourOf(cell.predicted)}; -fx-border-width: ${FRAME}; -fx-border-insets: 0, ${FRAME}; -fx-border-radius: 3;")
        // Rounded down: what is just below the threshold must not look like it.
        badge(hsil, (isSuspect ? '! HSIL ' : '') + "${Math.floor(100 * cell.hsil) as int} %", isSuspect ? SUSPECT : PLAIN)
        if (cell.state == PycytoCell.DECIDED) {
            badge(said, (cell.label == cell.predicted ? '\u2713 ' : '\u2192 ') + cell.label, colourOf(cell.label))
        } else if (cell.state == PycytoCell.OPEN) {
            badge(said, cell.isDisagreement() ? "expert: ${cell.expertClass}" : '', colourOf(cell.expertClass))
        } else {
            badge(said, cell.state, PUT_OFF)
        }
    }

    /** Makes a label a coloured mark whose text can be read on its colour; none where there is no text. */
    static void badge(Label label, String text, String colour) {
        label.visible = !text.isEmpty()
        label.text = text
        label.setStyle("-fx-background-color: ${colour}; -fx-text-fill: ladder(${colour}, white 60%, black 61%); "
            + '-fx-font-size: 11px; -fx-font-weight: bold; -fx-padding: 0 4 0 4; -fx-alignment: center;')
    }

    /** As QuPath shows the class; grey for none. */
    static String colourOf(String label) {
        return label == null ? PUT_OFF : PycytoCellCard.colour(label)
    }
}
