/*
 * Pictures of cells, read in the background: 224 pixels of the slide at full resolution, as in the patches
 * that a model learns from. All are at one scale, so that the sizes of nuclei can be compared.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.function.Consumer
import javafx.embed.swing.SwingFXUtils
import javafx.scene.image.Image
import qupath.lib.common.ThreadTools

@CompileStatic
class PycytoThumbnails {
    private static final int KEPT = 480  // several large pages; a picture takes 0.2 MB

    final Map<String, String> problems = new ConcurrentHashMap<String, String>()  // by cell key: why there is no picture
    private final PycytoSlides slides
    private final Consumer<PycytoCell> told
    private final Map<String, Image> kept = Collections.synchronizedMap(new LinkedHashMap<String, Image>(KEPT, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Image> eldest) {
            return size() > PycytoThumbnails.KEPT
        }
    })
    // One thread: slides are opened one at a time, and a second reader would wait for the same disk.
    private final ExecutorService reader = Executors.newSingleThreadExecutor(ThreadTools.createThreadFactory('pycyto-read-', true))
    private volatile int wish = 0

    /** @param told  is told of each cell whose picture has come, or will not; in the background */
    PycytoThumbnails(PycytoSlides slides, Consumer<PycytoCell> told) {
        this.slides = slides
        this.told = told
    }

    /** The picture of a cell; null while there is none. */
    Image of(PycytoCell cell) {
        return kept.get(cell.key)
    }

    /** Reads the pictures of a page, then those that may be looked at next; what was wanted before is given up. */
    void want(List<PycytoCell> page, List<PycytoCell> next) {
        int mine = ++wish
        reader.execute({ readAll(page + next, mine) } as Runnable)
    }

    private void readAll(List<PycytoCell> cells, int mine) {
        Map<String, String> shut = new HashMap<String, String>()  // slides that cannot be opened, and why
        for (PycytoCell cell : cells) {
            if (mine != wish) {
                return
            }
            read(cell, shut)
            told.accept(cell)
        }
    }

    private void read(PycytoCell cell, Map<String, String> shut) {
        String problem = shut.get(cell.entryId)
        PycytoImage image = null
        try {
            if (problem == null) {
                image = slides.open(cell.entryId).image  // also where the picture is there: decisions need it
                if (of(cell) == null) {
                    kept.put(cell.key, SwingFXUtils.toFXImage(PycytoPatch.patch(image.data.server, cell.x, cell.y, 0, 0), null))
                }
            }
        } catch (Exception e) {
            Pycyto.LOG.debug('No picture of a cell', e)
            problem = e.message ?: e.toString()
            if (image == null) {
                shut.put(cell.entryId, problem)
            }
        }
        if (problem == null) {
            problems.remove(cell.key)
        } else {
            problems.put(cell.key, problem)
        }
    }

    void close() {
        wish++
        reader.shutdown()
        reader.awaitTermination(1, TimeUnit.MINUTES)
    }
}
