/*
 * The crop rule and the pixels of a patch.
 * Lists and words marked "as in Python" are held equal to the Python package by a test.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import java.security.MessageDigest
import javax.imageio.ImageIO
import qupath.lib.images.servers.ImageServer
import qupath.lib.images.servers.ImageServerBuilder
import qupath.lib.images.servers.ImageServerProvider
import qupath.lib.images.servers.PixelCalibration
import qupath.lib.io.GsonTools

class PycytoPatch {
    static final int PATCH_SIZE = 224

    static final String NOT_RGB = 'image not RGB'
    static final String ANISOTROPIC = 'anisotropic pixels'
    static final String ALTERED = 'rotated, cropped or altered in QuPath'
    static final String OTHER_SERIES = 'not the first image of its file'

    // QuPath's import makes up smaller levels of every large image that has none, unless told
    // otherwise: what it shows at full resolution is the file's.
    private static final String PYRAMID = 'pyramidize'

    /** Left or top of the square of 224 pixels whose centre is at a coordinate. */
    @CompileStatic
    static int edge(double centre) {
        return (int) Math.floor(centre - PATCH_SIZE / 2.0d + 0.5d)
    }

    /** The patch around (x, y) at full resolution; what lies outside the image is black. */
    @CompileStatic
    static BufferedImage patch(ImageServer<BufferedImage> server, double x, double y, int z, int t) {
        int left = edge(x), top = edge(y)
        def canvas = new BufferedImage(PATCH_SIZE, PATCH_SIZE, BufferedImage.TYPE_INT_RGB)
        // Ask only for what lies inside: QuPath's versions differ in what they do outside.
        int x0 = Math.max(left, 0), x1 = Math.min(left + PATCH_SIZE, server.width)
        int y0 = Math.max(top, 0), y1 = Math.min(top + PATCH_SIZE, server.height)
        if (x1 <= x0 || y1 <= y0) {
            return canvas
        }
        int w = x1 - x0, h = y1 - y0
        BufferedImage region = server.readRegion(1.0d, x0, y0, w, h, z, t)
        if (region == null || region.width != w || region.height != h) {
            Pycyto.refuse("QuPath gave another region than the ${w} x ${h} pixels at (${x0}, ${y0}) that were asked for.")
        }
        canvas.setRGB(x0 - left, y0 - top, w, h, region.getRGB(0, 0, w, h, null, 0, w), 0, w)
        return canvas
    }

    /**
     * Up to QuPath 0.6 two images of one slide, one of them with --no-crop, share what is in the cache of tiles:
     * the second would get pixels of the first, which are elsewhere.
     */
    static void forgetTiles() {
        ImageServerProvider.getCache(BufferedImage)?.clear()
    }

    /** SHA-256 over the pixels: rows from the top, R G B. */
    @CompileStatic
    static String contentHash(BufferedImage patch) {
        int w = patch.width, h = patch.height
        int[] pixels = patch.getRGB(0, 0, w, h, null, 0, w)
        byte[] bytes = new byte[3 * pixels.length]
        for (int i = 0; i < pixels.length; i++) {
            bytes[3 * i] = (byte) (pixels[i] >> 16)
            bytes[3 * i + 1] = (byte) (pixels[i] >> 8)
            bytes[3 * i + 2] = (byte) pixels[i]
        }
        return PycytoFiles.hex(MessageDigest.getInstance('SHA-256').digest(bytes))
    }

    /** Why no patch can be cut from an image, or null. */
    static String obstacle(PycytoImage image) {
        def server = image.data.server
        // As in the project file, which is what Python reads.
        JsonObject builder = GsonTools.instance.toJsonTree(image.entry.serverBuilder, ImageServerBuilder.ServerBuilder).asJsonObject
        while (builder.get('builderType').asString == PYRAMID) {
            builder = builder.getAsJsonObject('builder')
        }
        List<String> words = builder.getAsJsonArray('args')?.collectMany { it.asString.split('=', 2) as List<String> } ?: []
        if (builder.get('builderType').asString != 'uri' || '--rotate' in words || '--dims' in words) {
            return ALTERED
        }
        if ('--name' in words || '--series' in words && words[words.lastIndexOf('--series') + 1] != '0') {
            return OTHER_SERIES
        }
        if (!server.RGB) {
            return NOT_RGB
        }
        PixelCalibration cal = server.pixelCalibration
        double w = cal.pixelWidthMicrons, h = cal.pixelHeightMicrons
        return cal.hasPixelSizeMicrons() && Math.abs(w - h) > 0.01d * Math.max(w, h) ? ANISOTROPIC : null
    }

    static void writePng(File file, BufferedImage image) {
        file.parentFile.mkdirs()
        def part = new File(file.parentFile, ".${file.name}.${ProcessHandle.current().pid()}.part")
        try {
            if (!ImageIO.write(image, 'PNG', part)) {
                Pycyto.refuse('This Java cannot write PNG files.')
            }
            PycytoFiles.replace(part, file)
        } finally {
            part.delete()
        }
    }
}
