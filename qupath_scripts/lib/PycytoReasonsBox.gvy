/*
 * The reasons for a class as a part of the review panel: sentences, and adjudicated cells as pictures
 * with the class that people gave them. Use it on the window's thread.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.concurrent.CompletableFuture
import java.util.function.BiConsumer
import java.util.function.Supplier
import javafx.application.Platform
import javafx.geometry.Pos
import javafx.scene.Node
import javafx.scene.control.Tooltip
import javafx.scene.image.Image
import javafx.scene.image.ImageView
import javafx.scene.layout.TilePane
import javafx.scene.layout.VBox
import javafx.scene.text.TextAlignment

class PycytoReasonsBox {
    private static final double SIDE = 96  // of a picture: three side by side in the panel

    private PycytoDecider decider  // of the image that the reasons are of
    private CompletableFuture<PycytoReasons> reasons

    /** The reasons beside a cell, or null where there is nothing to say. They come in when they are ready. */
    Node node(PycytoCell cell, PycytoDecider of) {
        if (!of.is(decider)) {
            prepare(of)
        }
        def box = new VBox(6)
        if (reasons.isDone()) {
            return fill(box, cell) ? box : null
        }
        box.children.add(PycytoCellCard.text('Measuring nuclei \u2026', PycytoCellCard.FAINT))
        reasons.whenComplete({ PycytoReasons found, Throwable problem -> Platform.runLater { fill(box, cell) } } as BiConsumer)
        return box
    }

    /** Measures an image once, however many cells of it are shown, on another thread. */
    private void prepare(PycytoDecider of) {
        decider = of
        def run = of.review.run, id = of.image.id
        def objects = of.image.objects(), cells = new ArrayList<PycytoCell>(of.cells)
        reasons = CompletableFuture.supplyAsync({ new PycytoReasons(run, id, objects, cells) } as Supplier)
    }

    private boolean fill(VBox box, PycytoCell cell) {
        try {
            def found = reasons.get()
            box.children.setAll(found.sentences(cell).collect { PycytoCellCard.text(it, it == PycytoReasons.RULE_OF_THUMB ? PycytoCellCard.FAINT : '') })
            def similar = found.similar.of(cell)
            if (similar) {
                box.children.addAll(PycytoCellCard.text('Most similar cells, and what people decided on them:', ''), pictures(similar))
            }
        } catch (Exception e) {
            decider = null  // with the next cell it is tried again
            Pycyto.LOG.error('reasons', e)
            box.children.setAll(PycytoCellCard.text("The reasons cannot be shown: ${e.cause?.message ?: e.message}", PycytoCellCard.FAINT))
        }
        return !box.children.isEmpty()
    }

    private static Node pictures(List<Map<String, Object>> similar) {
        def tiles = new TilePane(8, 8)
        tiles.setPrefColumns(3)
        tiles.setPrefTileWidth(SIDE + 12)
        tiles.children.setAll(similar.collect { tile(it) })
        return tiles
    }

    private static Node tile(Map<String, Object> similar) {
        // In the background: keys never wait for a picture.
        def picture = new ImageView(new Image((similar.file as File).toURI().toString(), SIDE, SIDE, true, true, true))
        picture.setFitWidth(SIDE)
        picture.setFitHeight(SIDE)
        def origin = PycytoCellCard.text(similar.same_slide ? "${similar.origin},\nsame slide" : similar.origin, PycytoCellCard.FAINT + '-fx-font-size: 0.85em;')
        origin.setTextAlignment(TextAlignment.CENTER)
        def tile = new VBox(2, picture, PycytoCellCard.chip(similar.label as String), origin)
        tile.alignment = Pos.TOP_CENTER
        Tooltip.install(tile, new Tooltip(String.format(Locale.ROOT, 'Similarity %.2f, as the network sees it; 1 is no difference.', similar.similarity as double)))
        return tile
    }
}
