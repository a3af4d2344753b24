/*
 * The objects of an image as GeoJSON with what QuPath rounds away: pycyto/cells/<entry ID>.geojson.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.stream.JsonWriter
import groovy.transform.CompileStatic
import java.util.concurrent.ConcurrentHashMap
import java.util.stream.Collectors
import qupath.lib.common.ColorTools
import qupath.lib.common.GeneralTools
import qupath.lib.geom.Point2
import qupath.lib.io.GsonTools
import qupath.lib.measurements.MeasurementList
import qupath.lib.objects.PathAnnotationObject
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathDetectionObject
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathTileObject
import qupath.lib.objects.TMACoreObject
import qupath.lib.objects.classes.PathClass
import qupath.lib.roi.interfaces.ROI

class PycytoCells {
    private static final Gson QUPATH = GsonTools.getInstance(false)

    private static final Map<Class<?>, String> TYPES = [
        (PathAnnotationObject): 'annotation', (PathDetectionObject): 'detection', (PathCellObject): 'cell',
        (PathTileObject): 'tile', (TMACoreObject): 'tmaCore',
    ] as Map<Class<?>, String>

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

    /** On all processors: there are hundreds of thousands. */
    @CompileStatic
    private static void writeFeatures(List<PathObject> objects, Writer out) {
        Map<PathClass, String> classes = new ConcurrentHashMap<PathClass, String>()
        String separator = ''
        for (int start = 0; start < objects.size(); start += AT_ONCE) {
            def some = objects.subList(start, Math.min(start + AT_ONCE, objects.size()))
            List<String> texts = some.parallelStream().map((PathObject it) -> feature(it, classes)).collect(Collectors.toList())
            for (String text : texts) {
                out.write(separator)
                out.write(text)
                separator = ',\n'
            }
        }
    }

    /**
     * One object as QuPath writes it, but quicker, plus what QuPath rounds away; see docs/formats.md.
     *
     * @param classes  what was written of classes already, while no colour changes
     */
    @CompileStatic
    static String feature(PathObject object, Map<PathClass, String> classes = new HashMap<PathClass, String>()) {
        def text = new StringWriter(1024)
        def out = new JsonWriter(text)
        out.beginObject()
        out.name('type').value('Feature')
        out.name('id').value(object.getID().toString())
        out.name('geometry').jsonValue(PycytoOutline.geometry(object.getROI()))
        ROI nucleus = nucleusOf(object)
        if (nucleus != null) {
            out.name('nucleusGeometry').jsonValue(PycytoOutline.geometry(nucleus))
        }
        out.name('properties')
        writeProperties(object, classes, out)
        out.name('pycyto').jsonValue(exact(object, nucleus))
        out.endObject()
        return text.toString()
    }

    @CompileStatic
    private static void writeProperties(PathObject object, Map<PathClass, String> classes, JsonWriter out) {
        out.beginObject()
        out.name('objectType').value(TYPES.get(object.getClass()))
        if (object.getName() != null) {
            out.name('name').value(object.getName())
        }
        Integer colour = object.getColor()
        if (colour != null) {
            out.name('color').beginArray()
            out.value(ColorTools.red(colour)).value(ColorTools.green(colour)).value(ColorTools.blue(colour))
            out.endArray()
        }
        if (object.pathClass != null) {
            out.name('classification').jsonValue(classes.computeIfAbsent(object.pathClass, (PathClass it) -> QUPATH.toJson(it, PathClass)))
        }
        if (object.isLocked()) {
            out.name('isLocked').value(true)
        }
        if (object instanceof TMACoreObject) {
            out.name('isMissing').value(((TMACoreObject) object).isMissing())
        }
        writeMeasurements(object.measurementList, out)
        if (!object.metadata.isEmpty()) {
            out.name('metadata').jsonValue(PycytoFiles.JSON.toJson(object.metadata))
        }
        out.endObject()
    }

    /** Those that are no numbers are left out: JSON has no way to write them. */
    @CompileStatic
    private static void writeMeasurements(MeasurementList measurements, JsonWriter out) {
        if (measurements.isEmpty()) {
            return
        }
        out.name('measurements').beginObject()
        for (String name : measurements.measurementNames) {
            double value = measurements.get(name)
            if (Double.isFinite(value)) {
                out.name(name).value(value)
            }
        }
        out.endObject()
    }

    @CompileStatic
    private static ROI nucleusOf(PathObject object) {
        return object instanceof PathCellObject ? ((PathCellObject) object).getNucleusROI() : null
    }

    @CompileStatic
    private static String exact(PathObject object, ROI nucleus) {
        ROI roi = object.getROI()
        def text = new StringBuilder()
        appendNumbers(text.append('{"centroid":'), roi.centroidX, roi.centroidY)
        appendNumbers(text.append(',"bounds":'), roi.boundsX, roi.boundsY, roi.boundsWidth, roi.boundsHeight)
        text.append(',"area":').append(PycytoObjects.area(roi)).append(',"z":').append(roi.z).append(',"t":').append(roi.t)
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
        return text.append('}').toString()
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
