/*
 * The objects of an image as GeoJSON with what QuPath rounds away: pycyto/cells/<entry ID>.geojson.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import groovy.transform.CompileStatic
import java.util.stream.Collectors
import qupath.lib.common.GeneralTools
import qupath.lib.geom.Point2
import qupath.lib.io.GsonTools
import qupath.lib.measurements.MeasurementList
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoCells {
    private static final Gson QUPATH = GsonTools.getInstance(false)

    // Objects whose text is made side by side, and held until it is written.
    private static final int AT_ONCE = 2048

    /** Writes the image's file of cells from what is on disk, and returns how many objects it holds. */
    static int write(PycytoImage image) {
        return write(image, PycytoSaved.of(image))
    }

    static int write(PycytoImage image, PycytoSaved saved) {
        PycytoFiles.writing(image.cellsFile) { Writer out -> writeTo(image, saved, out) }
        return saved.objects.size()
    }

    /** The same as UTF-8 in memory, for a reader in this process. */
    static byte[] bytes(PycytoImage image) {
        def stream = new ByteArrayOutputStream()
        new OutputStreamWriter(stream, 'UTF-8').withWriter { Writer out -> writeTo(image, PycytoSaved.of(image), out) }
        return stream.toByteArray()
    }

    /** Objects in memory may differ from the file, whose hash must be theirs, so only saved ones will do. */
    private static void writeTo(PycytoImage image, PycytoSaved saved, Writer out) {
        def header = [schema: Pycyto.SCHEMA, entry_id: image.id, data_sha256: saved.sha256,
                      qupath: GeneralTools.version.toString(), written_at: PycytoFiles.now()]
        out << '{"type":"FeatureCollection",\n"pycyto":' << PycytoFiles.JSON.toJson(header) << ',\n"features":[\n'
        writeFeatures(saved.objects, out)
        out << '\n]}\n'
    }

    /** QuPath makes a valid geometry of each outline, which takes most of the time: on all processors. */
    @CompileStatic
    private static void writeFeatures(List<PathObject> objects, Writer out) {
        String separator = ''
        for (int start = 0; start < objects.size(); start += AT_ONCE) {
            def some = objects.subList(start, Math.min(start + AT_ONCE, objects.size()))
            List<String> texts = some.parallelStream().map { PathObject it -> feature(it) }.collect(Collectors.toList())
            for (String text : texts) {
                out.write(separator)
                out.write(text)
                separator = ',\n'
            }
        }
    }

    static String asQuPath(PathObject object) {
        return QUPATH.toJson(object, PathObject)
    }

    /** One object as QuPath writes it, plus what QuPath rounds away; see docs/formats.md. */
    @CompileStatic
    static String feature(PathObject object) {
        String text = asQuPath(object)
        List<String> unusable = unusableOf(object.measurementList)
        // From 0.6 on QuPath writes the metadata twice, which strict readers refuse.
        if (unusable || !object.metadata.isEmpty()) {
            JsonObject tree = JsonParser.parseString(text).asJsonObject
            JsonObject measurements = tree.getAsJsonObject('properties').getAsJsonObject('measurements')
            unusable.each { measurements.remove(it) }
            text = PycytoFiles.JSON.toJson(tree)
        }
        def result = new StringBuilder(text)
        result.setLength(text.lastIndexOf('}'))
        result.append(',"pycyto":')
        appendExact(result, object)
        return result.append('}').toString()
    }

    @CompileStatic
    private static List<String> unusableOf(MeasurementList measurements) {
        List<String> found = []
        for (String name : measurements.measurementNames) {
            if (!Double.isFinite(measurements.get(name))) {
                found.add(name)
            }
        }
        return found
    }

    @CompileStatic
    private static void appendExact(StringBuilder text, PathObject object) {
        ROI roi = object.getROI()
        appendNumbers(text.append('{"centroid":'), roi.centroidX, roi.centroidY)
        appendNumbers(text.append(',"bounds":'), roi.boundsX, roi.boundsY, roi.boundsWidth, roi.boundsHeight)
        text.append(',"area":').append(PycytoObjects.area(roi)).append(',"z":').append(roi.z).append(',"t":').append(roi.t)
        def nucleus = object instanceof PathCellObject ? ((PathCellObject) object).getNucleusROI() : null
        if (nucleus != null) {
            appendNumbers(text.append(',"nucleus":'), nucleus.centroidX, nucleus.centroidY)
        }
        if (roi.isPoint()) {
            String separator = ''
            text.append(',"points":[')
            for (Point2 point : roi.allPoints) {
                appendNumbers(text.append(separator), point.x, point.y)
                separator = ','
            }
            text.append(']')
        }
        text.append('}')
    }

    // A point annotation whose last point was deleted has no centroid; it stands for no cell either.
    @CompileStatic
    private static void appendNumbers(StringBuilder text, double... values) {
        String separator = '['
        for (double value : values) {
            text.append(separator).append(Double.isFinite(value) ? value : 0.0d)
            separator = ','
        }
        text.append(']')
    }
}
