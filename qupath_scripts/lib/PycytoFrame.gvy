/*
 * What part of an image a canvas shows: the point in its middle and the magnification.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic

@CompileStatic
class PycytoFrame {
    // Where the resolution is unknown, an image is shown as if it were this, in micrometres per pixel.
    // It only decides how large the picture comes up.
    private static final double USUAL_PIXEL = 0.25d
    // A cell that would fill more than this part of the canvas comes up smaller.
    private static final double LARGEST_PART = 0.9d
    private static final double SMALLEST_PIXEL = 0.02d  // magnified 50 times
    private static final double MARGIN = 0.25d          // read beyond each edge, so that a small move needs no new pixels

    final double x, y           // in the middle, in full-resolution pixels
    final double downsample     // full-resolution pixels per pixel of the screen
    final double width, height  // of the canvas, in pixels of the screen

    PycytoFrame(double x, double y, double downsample, double width, double height) {
        this.x = x
        this.y = y
        this.downsample = downsample
        this.width = width
        this.height = height
    }

    /**
     * A cell in the middle. All cells come up at one magnification, so that their sizes can be compared,
     * but for one that is larger than the canvas.
     *
     * @param micrometres    per pixel of the screen
     * @param pixelSize      of the image, in micrometres; NaN where it is unknown
     */
    static PycytoFrame around(PycytoAssignment.Cell cell, double micrometres, double pixelSize, double width, double height) {
        double usual = micrometres / usedPixel(pixelSize)
        double fits = Math.max(cell.width / width, cell.height / height) / LARGEST_PART
        return new PycytoFrame(cell.x, cell.y, Math.max(usual, fits), width, height)
    }

    static double usedPixel(double pixelSize) {
        return Double.isNaN(pixelSize) ? USUAL_PIXEL : pixelSize
    }

    /** Moved by pixels of the screen; the middle stays within the image. */
    PycytoFrame moved(double dx, double dy, double imageWidth, double imageHeight) {
        double newX = Math.min(Math.max(x + dx * downsample, 0d), imageWidth)
        double newY = Math.min(Math.max(y + dy * downsample, 0d), imageHeight)
        return new PycytoFrame(newX, newY, downsample, width, height)
    }

    /** Larger by a factor, around a point of the screen, which stays where it is. The whole image is the smallest. */
    PycytoFrame magnified(double factor, double atX, double atY, double imageWidth, double imageHeight) {
        double largest = Math.max(Math.max(imageWidth / width, imageHeight / height), downsample)
        double changed = Math.min(Math.max(downsample / factor, SMALLEST_PIXEL), largest)
        double newX = imageX(atX) - (atX - width / 2d) * changed
        double newY = imageY(atY) - (atY - height / 2d) * changed
        return new PycytoFrame(newX, newY, changed, width, height).moved(0d, 0d, imageWidth, imageHeight)
    }

    PycytoFrame resized(double newWidth, double newHeight) {
        return new PycytoFrame(x, y, downsample, newWidth, newHeight)
    }

    double screenX(double imageX) { (imageX - x) / downsample + width / 2d }

    double screenY(double imageY) { (imageY - y) / downsample + height / 2d }

    double imageX(double screenX) { x + (screenX - width / 2d) * downsample }

    double imageY(double screenY) { y + (screenY - height / 2d) * downsample }

    /** Left, top, width and height of what is to be read: the frame and a margin, as far as there is an image; null beyond it. */
    int[] region(int imageWidth, int imageHeight) {
        int left = (int) Math.max(0d, Math.floor(imageX(-MARGIN * width))), right = (int) Math.min((double) imageWidth, Math.ceil(imageX((1d + MARGIN) * width)))
        int top = (int) Math.max(0d, Math.floor(imageY(-MARGIN * height))), bottom = (int) Math.min((double) imageHeight, Math.ceil(imageY((1d + MARGIN) * height)))
        return right > left && bottom > top ? [left, top, right - left, bottom - top] as int[] : null
    }
}
