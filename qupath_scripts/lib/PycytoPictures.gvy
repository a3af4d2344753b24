/*
 * Reads pieces of a project's images straight from their files, away from the window's thread.
 * Neither the data of an image nor its name is opened: there is nothing here that could be shown by mistake.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.ThreadFactory
import java.util.function.Supplier
import javafx.embed.swing.SwingFXUtils
import javafx.scene.image.Image
import qupath.lib.images.servers.ImageServer
import qupath.lib.regions.RegionRequest

class PycytoPictures implements Closeable {
    // Cells come up in random order, so most need another image than the one before.
    private static final int KEPT_OPEN = 3

    private final PycytoProject project
    private final Map<String, ImageServer<BufferedImage>> servers = new LinkedHashMap<>()  // by entry ID, the one used last at the end
    private final ExecutorService worker = Executors.newSingleThreadExecutor({ Runnable work ->
        def thread = new Thread(work, 'pycyto-pictures')
        thread.daemon = true
        thread
    } as ThreadFactory)

    PycytoPictures(PycytoProject project) {
        this.project = project
    }

    /** A piece of an image, and how large the image and its pixels are. */
    static class Picture {
        Image pixels
        int left, top, width, height     // in full-resolution pixels
        int imageWidth, imageHeight
        double pixelSize                 // in micrometres; NaN where it is unknown
        double downsample
    }

    /** The surroundings of a cell, as large as a canvas shows them at a magnification. */
    CompletableFuture<Picture> around(PycytoAssignment.Cell cell, double micrometres, double width, double height) {
        return later {
            def server = serverOf(cell.imageId)
            read(server, cell, PycytoFrame.around(cell, micrometres, pixelSizeOf(server), width, height))
        }
    }

    /** What a frame shows of a cell's image; null if nobody wants it any more by the time that it could be read. */
    CompletableFuture<Picture> inFrame(PycytoAssignment.Cell cell, PycytoFrame frame, Closure<Boolean> isWanted) {
        return later { isWanted() ? read(serverOf(cell.imageId), cell, frame) : null }
    }

    private CompletableFuture<Picture> later(Closure<Picture> work) {
        return CompletableFuture.supplyAsync({ work.call() } as Supplier<Picture>, worker)
    }

    private static Picture read(ImageServer<BufferedImage> server, PycytoAssignment.Cell cell, PycytoFrame frame) {
        int[] at = frame.region(server.width, server.height)
        if (at == null) {
            Pycyto.refuse('The cell lies outside its image.', 'bad input')
        }
        double downsample = Math.max(1d, frame.downsample)
        BufferedImage pixels = server.readRegion(RegionRequest.createInstance(server.path, downsample, at[0], at[1], at[2], at[3], cell.z, cell.t))
        if (pixels == null) {
            Pycyto.refuse('QuPath gives no pixels of this image.', 'bad input')
        }
        return new Picture(pixels: SwingFXUtils.toFXImage(pixels, null), left: at[0], top: at[1], width: at[2], height: at[3],
            imageWidth: server.width, imageHeight: server.height, pixelSize: pixelSizeOf(server), downsample: downsample)
    }

    private static double pixelSizeOf(ImageServer<BufferedImage> server) {
        def calibration = server.pixelCalibration
        return calibration.hasPixelSizeMicrons() ? calibration.averagedPixelSizeMicrons : Double.NaN
    }

    private ImageServer<BufferedImage> serverOf(String imageId) {
        def server = servers.remove(imageId) ?: opened(imageId)
        servers[imageId] = server
        while (servers.size() > KEPT_OPEN) {
            servers.remove(servers.keySet().first()).close()
        }
        return server
    }

    private ImageServer<BufferedImage> opened(String imageId) {
        PycytoPatch.forgetTiles()
        ImageServer<BufferedImage> server = project.image(imageId).entry.serverBuilder.build()
        if (!server.RGB) {
            server.close()
            Pycyto.refuse('The image is no colour image.', 'bad input')
        }
        return server
    }

    /** Closes all images, once what is being read has been. */
    @Override
    void close() {
        worker.submit { servers.values()*.close() }
        worker.shutdown()
    }
}
