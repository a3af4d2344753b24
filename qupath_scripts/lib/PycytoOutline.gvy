/*
 * An outline as a GeoJSON geometry, as QuPath from 0.6 on writes it: hundredths of a pixel, clockwise
 * as the y axis points up, from the leftmost vertex on. QuPath itself makes a valid geometry of every
 * polygon first, by way of java.awt.geom.Area, and formats coordinates one at a time, which takes most
 * of the time of an export. A polygon that does not cross or touch itself is valid as it is; of all
 * others, and of what is no polygon, rectangle or ellipse, QuPath makes the geometry.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import groovy.transform.CompileStatic
import qupath.lib.geom.Point2
import qupath.lib.io.GsonTools
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.EllipseROI
import qupath.lib.roi.PolygonROI
import qupath.lib.roi.RectangleROI
import qupath.lib.roi.interfaces.ROI

@CompileStatic
class PycytoOutline {
    private static final Gson QUPATH = GsonTools.getInstance(false)

    // Each pair of edges is looked at: above this QuPath's way is the quicker one.
    private static final int MOST_VERTICES = 150
    // Of the polygon that stands for an ellipse, as in JTS, which QuPath uses.
    private static final int ELLIPSE_VERTICES = 100

    private final long[] x, y  // hundredths of a pixel
    private int n = 0
    private boolean isFinite = true

    private PycytoOutline(int most) {
        x = new long[most]
        y = new long[most]
    }

    static String geometry(ROI roi) {
        def outline = of(roi)
        if (outline != null && outline.isSimple()) {
            return text(roi) { StringBuilder it -> outline.appendRing(it) }
        }
        try {
            return QUPATH.toJson(roi, ROI)
        } catch (RuntimeException impossible) {
            // Nothing, or several kinds of things, are left of an outline that is thinner than a hundredth of a pixel.
            if (outline == null) {
                throw impossible
            }
            return text(roi) { StringBuilder it -> outline.appendAsDrawn(it) }
        }
    }

    private static String text(ROI roi, Closure ring) {
        def text = new StringBuilder(2048).append('{"type":"Polygon","coordinates":[[')
        ring.call(text)
        text.append(']]')
        if (roi.imagePlane != ImagePlane.defaultPlane) {
            text.append(',"plane":').append(QUPATH.toJson(roi.imagePlane))
        }
        return text.append(roi instanceof EllipseROI ? ',"isEllipse":true}' : '}').toString()
    }

    /** The vertices of an outline whose geometry can be made here, or null. */
    private static PycytoOutline of(ROI roi) {
        double left = roi.boundsX, top = roi.boundsY, w = roi.boundsWidth, h = roi.boundsHeight
        if (roi instanceof PolygonROI) {
            List<Point2> points = roi.allPoints
            def outline = new PycytoOutline(points.size())
            for (Point2 point : points) {
                outline.add(point.x, point.y)
            }
            return outline.closed()
        }
        if (roi instanceof RectangleROI) {
            return new PycytoOutline(4).add(left, top).add(left + w, top).add(left + w, top + h).add(left, top + h).closed()
        }
        if (roi instanceof EllipseROI) {
            def outline = new PycytoOutline(ELLIPSE_VERTICES)
            for (int i = 0; i < ELLIPSE_VERTICES; i++) {
                double angle = i * (2 * Math.PI / ELLIPSE_VERTICES)
                outline.add(w / 2 * Math.cos(angle) + (left + w / 2), h / 2 * Math.sin(angle) + (top + h / 2))
            }
            return outline.closed()
        }
        return null
    }

    /** Rounds a vertex; of neighbours that become the same one stays. */
    private PycytoOutline add(double vx, double vy) {
        isFinite &= Double.isFinite(vx) && Double.isFinite(vy)
        x[n] = Math.round(vx * 100.0d)
        y[n] = Math.round(vy * 100.0d)
        if (n == 0 || x[n] != x[n - 1] || y[n] != y[n - 1]) {
            n++
        }
        return this
    }

    private PycytoOutline closed() {
        while (n > 1 && x[n - 1] == x[0] && y[n - 1] == y[0]) {
            n--
        }
        return isFinite ? this : null
    }

    private boolean isSimple() {
        return n > 2 && n <= MOST_VERTICES && !touchesItself()
    }

    /** Whether any two edges have more in common than the vertex between neighbours. */
    private boolean touchesItself() {
        for (int i = 0; i < n; i++) {
            int next = (i + 1) % n
            if (turnsBack(i, next, (i + 2) % n)) {
                return true
            }
            for (int j = i + 2; j < n; j++) {
                if ((j + 1) % n != i && touch(i, next, j, (j + 1) % n)) {
                    return true
                }
            }
        }
        return false
    }

    private boolean turnsBack(int a, int b, int c) {
        return side(a, b, c) == 0 && (x[a] - x[b]) * (x[c] - x[b]) + (y[a] - y[b]) * (y[c] - y[b]) > 0
    }

    private boolean touch(int a, int b, int c, int d) {
        if (Math.max(x[a], x[b]) < Math.min(x[c], x[d]) || Math.max(x[c], x[d]) < Math.min(x[a], x[b])
            || Math.max(y[a], y[b]) < Math.min(y[c], y[d]) || Math.max(y[c], y[d]) < Math.min(y[a], y[b])) {
            return false
        }
        return side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0
    }

    /** On which side of the line from a to b is c: 1, -1, or 0 on it. Exact: whole numbers below 2^31. */
    private int side(int a, int b, int c) {
        return Long.signum((x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]))
    }

    private void appendRing(StringBuilder text) {
        int first = 0
        long area = 0L
        for (int i = 0; i < n; i++) {
            int next = (i + 1) % n
            area += (x[i] - x[0]) * (y[next] - y[0]) - (x[next] - x[0]) * (y[i] - y[0])
            if (x[i] < x[first] || x[i] == x[first] && y[i] < y[first]) {
                first = i
            }
        }
        int step = area > 0 ? n - 1 : 1
        for (int i = 0; i <= n; i++) {
            append(text, i, (int) ((first + (long) i * step) % n))
        }
    }

    /** A ring has four positions at least. */
    private void appendAsDrawn(StringBuilder text) {
        for (int i = 0; i <= Math.max(n, 3); i++) {
            append(text, i, i % n)
        }
    }

    private void append(StringBuilder text, int number, int vertex) {
        text.append(number == 0 ? '[' : ',[')
        appendHundredths(text, x[vertex])
        appendHundredths(text.append(','), y[vertex])
        text.append(']')
    }

    private static void appendHundredths(StringBuilder text, long value) {
        long whole = Math.abs(value)
        int rest = (int) (whole % 100)
        text.append(value < 0 ? '-' : '').append(whole.intdiv(100))
        if (rest != 0) {
            text.append(rest < 10 ? '.0' : '.').append(rest % 10 == 0 ? rest.intdiv(10) : rest)
        }
    }
}
