/*
 * The objects of an image as GeoJSON with what QuPath rounds away: pycyto/cells/<entry ID>.geojson.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import groovy.transform.CompileStatic
import qupath.lib.common.GeneralTools
import qupath.lib.io.GsonTools
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

class PycytoCells {
    private static final Gson QUPATH = GsonTools.getInstance(false)

    /** Writes the image's file of cells from what is on disk, and returns how many objects it holds. */
    static int write(PycytoImage image) {
        int count = 0
        PycytoFiles.writing(image.cellsFile) { Writer out -> count = writeTo(image, out) }
        return count
    }

    /** The same as UTF-8 in memory, for a reader in this process. */
    static byte[] bytes(PycytoImage image) {
        def stream = new ByteArrayOutputStream()
        new OutputStreamWriter(stream, 'UTF-8').withWriter { Writer out -> writeTo(image, out) }
        return stream.toByteArray()
    }

    /** Objects in memory may differ from the file, whose hash must be theirs, so they are read anew. */
    private static int writeTo(PycytoImage image, Writer out) {
        String sha = image.dataSha256()
        List<PathObject> objects = image.objectsOnDisk()
        def header = [schema: Pycyto.SCHEMA, entry_id: image.id, data_sha256: sha,
                      qupath: GeneralTools.version.toString(), written_at: PycytoFiles.now()]
        out << '{"type":"FeatureCollection",\n"pycyto":' << PycytoFiles.JSON.toJson(header) << ',\n"features":[\n'
        String separator = ''
        for (PathObject object in objects) {
            out << separator << feature(object)
            separator = ',\n'
        }
        out << '\n]}\n'
        if (image.dataSha256() != sha) {
            Pycyto.refuse('The data of this image was saved while it was being read. Start again when nothing else is at work on the project.')
        }
        return objects.size()
    }

    static String asQuPath(PathObject object) {
        return QUPATH.toJson(object, PathObject)
    }

    /** One object as QuPath writes it, plus what QuPath rounds away; see docs/formats.md. */
    @CompileStatic
    static String feature(PathObject object) {
        String text = asQuPath(object)
        List<String> unusable = object.measurementList.measurementNames.findAll {
            !Double.isFinite(object.measurementList.get(it))
        }
        // From 0.6 on QuPath writes the metadata twice, which strict readers refuse.
        if (unusable || !object.metadata.isEmpty()) {
            JsonObject tree = JsonParser.parseString(text).asJsonObject
            JsonObject measurements = tree.getAsJsonObject('properties').getAsJsonObject('measurements')
            unusable.each { measurements.remove(it) }
            text = PycytoFiles.JSON.toJson(tree)
        }
        return text.substring(0, text.lastIndexOf('}')) + ',"pycyto":' + PycytoFiles.JSON.toJson(exact(object)) + '}'
    }

    @CompileStatic
    private static Map<String, Object> exact(PathObject object) {
        ROI roi = object.getROI()
        Map<String, Object> result = [
            centroid: numbers(roi.centroidX, roi.centroidY),
            bounds: numbers(roi.boundsX, roi.boundsY, roi.boundsWidth, roi.boundsHeight),
            area: PycytoObjects.area(roi), z: roi.z, t: roi.t,
        ] as Map<String, Object>
        def nucleus = object instanceof PathCellObject ? ((PathCellObject) object).getNucleusROI() : null
        if (nucleus != null) {
            result.nucleus = numbers(nucleus.centroidX, nucleus.centroidY)
        }
        if (roi.isPoint()) {
            result.points = roi.allPoints.collect { numbers(it.x, it.y) }
        }
        return result
    }

    // A point annotation whose last point was deleted has no centroid; it stands for no cell either.
    @CompileStatic
    private static List<Double> numbers(double... values) {
        return values.collect { double it -> Double.isFinite(it) ? it : 0.0d }
    }
}
