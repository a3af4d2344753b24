/*
 * What the pycyto scripts share. Not a script to run: each script loads it from
 * the folder "lib" beside itself. Names there do not end in .groovy, so that
 * QuPath's script menus leave them out.
 *
 * The files it reads and writes are described in docs/formats.md. Lists and words
 * marked "as in Python" are held equal to the Python package by a test.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.GsonBuilder
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParseException
import com.google.gson.JsonParser
import com.google.gson.ToNumberPolicy
import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import java.nio.channels.FileChannel
import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.nio.file.StandardOpenOption
import java.security.MessageDigest
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.concurrent.Callable
import java.util.regex.Pattern
import javafx.application.Platform
import javax.imageio.ImageIO
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.fx.dialogs.Dialogs
import qupath.fx.utils.FXUtils
import qupath.lib.common.ColorTools
import qupath.lib.common.GeneralTools
import qupath.lib.gui.QuPathGUI
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServer
import qupath.lib.images.servers.ImageServerBuilder
import qupath.lib.images.servers.PixelCalibration
import qupath.lib.io.GsonTools
import qupath.lib.objects.PathCellObject
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathObjects
import qupath.lib.objects.classes.PathClass
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.projects.Project
import qupath.lib.projects.ProjectIO
import qupath.lib.projects.ProjectImageEntry
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.ROIs
import qupath.lib.roi.interfaces.ROI
import qupath.lib.scripting.QP

class Pycyto {

    static final Logger LOG = LoggerFactory.getLogger('pycyto')
    static final int SCHEMA = 1
    static final int PATCH_SIZE = 224

    // Marks on objects, as in Python.
    static final String RUN_MARK = 'pycyto: run'
    static final String UPDATED_MARK = 'pycyto: updated by'

    // Columns of manifest.csv, as in Python.
    static final List<String> COLUMNS = [
        'schema', 'project_id', 'entry_id', 'object_id', 'point_index', 'kind', 'image_key',
        'project_name', 'image_name', 'centroid_x', 'centroid_y', 'left', 'top', 'width',
        'downsample', 'z', 't', 'mpp', 'outline_width', 'outline_height', 'outline_area', 'label', 'original_label', 'scheme',
        'label_origin', 'selected_by', 'annotator', 'decided_at', 'source', 'site', 'patient', 'slide',
        'scanner', 'preparation', 'original_width', 'original_height', 'content_hash', 'file', 'note',
    ]
    static final String CONFIDENTIAL = 'confidential: holds image names and patient keys'
    static final String UNKNOWN = 'unknown'

    // Label schemes, as in Python: name of the scheme -> class -> other spellings.
    static final Map<String, Map<String, List<String>>> SCHEMES = [
        bethesda: [
            'NILM': ['Negative for intraepithelial lesion or malignancy'],
            'ASC-US': ['ASCUS'],
            'LSIL': ['LGSIL', 'Low-grade squamous intraepithelial lesion'],
            'HSIL': ['HGSIL', 'High-grade squamous intraepithelial lesion'],
        ],
    ]

    // Reasons for which an object is no cell, as in Python.
    static final String NOT_ASKED_FOR = 'other kind of object'
    static final String TILE = 'tile or TMA core'
    static final String OURS = 'made by pycyto'
    static final String OUR_CLASS = 'classified by pycyto'
    static final String TISSUE = 'tissue outline'
    static final String NO_CLASS = 'no class'
    static final String OUTSIDE_SCHEME = 'class outside the scheme'
    static final String NOT_RGB = 'image not RGB'
    static final String ANISOTROPIC = 'anisotropic pixels'
    static final String OTHER_PLANE = 'z or t plane'
    static final String OUTSIDE = 'outside the image'
    static final String ROTATED = 'rotated or cropped in QuPath'

    // Keys of a config file that belong to the caller, not to a script's settings.
    static final List<String> CALLER_KEYS = ['project', 'images', 'lock_holder']

    /**
     * Runs a script's action on the image(s) at hand, and leaves a result file whatever happens.
     *
     * @param script    the script itself ("this")
     * @param name      its name without ".groovy"
     * @param settings  its settings; a config file given as first argument overrides them
     * @param action    gets a PycytoImage, returns the counts of what it did
     */
    static void run(Script script, String name, Map<String, Object> settings, Closure<Map<String, Object>> action) {
        def job = new PycytoJob(script, name)
        try {
            job.configure(settings)
            job.openProject()
            job.lock(job.workspace)
            for (PycytoImage image in job.images()) {
                job.handle(image, action)
            }
        } catch (PycytoRefusal refusal) {
            job.error = refusal.message
        } catch (Throwable e) {
            LOG.error(name, e)
            job.error = e.toString()
        } finally {
            job.unlock()
            job.finish()
        }
    }

    /** Stops the work on an image (or the script) with a message for the user. */
    static void refuse(String message) {
        throw new PycytoRefusal(message)
    }

    // --- crop rule ------------------------------------------------------------------------------

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
            refuse("QuPath gave another region than the ${w} x ${h} pixels at (${x0}, ${y0}) that were asked for.")
        }
        canvas.setRGB(x0 - left, y0 - top, w, h, region.getRGB(0, 0, w, h, null, 0, w), 0, w)
        return canvas
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
        return hex(MessageDigest.getInstance('SHA-256').digest(bytes))
    }

    /** Why no patch can be cut from an image, or null. */
    static String obstacle(PycytoImage image) {
        def server = image.data.server
        def builder = image.entry.serverBuilder
        if (!(builder instanceof ImageServerBuilder.DefaultImageServerBuilder)
            || builder.args.any { it.tokenize('=')[0] == '--rotate' }) {
            return ROTATED
        }
        if (!server.RGB) {
            return NOT_RGB
        }
        PixelCalibration cal = server.pixelCalibration
        double w = cal.pixelWidthMicrons, h = cal.pixelHeightMicrons
        return cal.hasPixelSizeMicrons() && Math.abs(w - h) > 0.01d * Math.max(w, h) ? ANISOTROPIC : null
    }

    // --- classes --------------------------------------------------------------------------------

    /** The class of a scheme that a name is a spelling of, or null. */
    static String labelOf(String scheme, String className) {
        if (!SCHEMES.containsKey(scheme)) {
            refuse("There is no label scheme '${scheme}'. Known are: ${SCHEMES.keySet().join(', ')}.")
        }
        return className == null ? null : SCHEMES[scheme].find { name, aliases ->
            spelling(name) == spelling(className) || aliases.any { spelling(it) == spelling(className) }
        }?.key
    }

    private static final Pattern MARKS = Pattern.compile('(?U)[\\s_\\-./]+')

    private static String spelling(String text) {
        return MARKS.matcher(text).replaceAll('').toLowerCase(Locale.ROOT)
    }

    /** Why an object is no cell whose class can be learned from, or null; in the order of Python. */
    static String reasonAgainst(PathObject object, String objects, String scheme, double largestOutline) {
        if (object.isTile() || object.isTMACore()) {
            return TILE
        }
        if (objects != 'all' && object.isAnnotation() != (objects == 'annotations')) {
            return NOT_ASKED_FOR
        }
        def measurements = object.measurementList
        if (!Double.isNaN(measurements.get(RUN_MARK))) {
            return OURS
        }
        if (!Double.isNaN(measurements.get(UPDATED_MARK))) {
            return OUR_CLASS
        }
        if (area(object.getROI()) > largestOutline * PATCH_SIZE * PATCH_SIZE) {
            return TISSUE
        }
        if (object.pathClass == null) {
            return NO_CLASS
        }
        return labelOf(scheme, object.pathClass.toString()) == null ? OUTSIDE_SCHEME : null
    }

    /** Adds classes to the project's list; those that are there keep their colour and place. */
    static void addClasses(PycytoJob job, Map<String, List<Number>> colours) {
        List<PathClass> all = new ArrayList<>(job.project.pathClasses)
        List<PathClass> missing = []
        colours.each { String name, List<Number> rgb ->
            if (all.every { it == null || it.toString() != name }) {
                int colour = ColorTools.packRGB(rgb[0].intValue(), rgb[1].intValue(), rgb[2].intValue())
                PathClass added = PathClass.fromString(name, colour)
                added.setColor(colour)
                missing << added
            }
        }
        if (!missing) {
            return
        }
        job.project.setPathClasses(all + missing)
        job.project.syncChanges()
        // The window keeps a list of its own and would write it over the project's.
        if (job.gui != null) {
            inWindow { job.gui.availablePathClasses.addAll(missing.findAll { !(it in job.gui.availablePathClasses) }) }
        }
    }

    // --- detections -----------------------------------------------------------------------------

    @CompileStatic
    static PathObject detection(ROI roi, String id, String label, Map<String, Double> values) {
        PathObject made = PathObjects.createDetectionObject(roi)
        made.setID(UUID.fromString(id))
        classify(made, label, values)
        return made
    }

    @CompileStatic
    static void classify(PathObject object, String label, Map<String, Double> values) {
        object.setPathClass(PathClass.fromString(label))
        def measurements = object.measurementList
        values.each { name, value -> measurements.put(name, value) }
        measurements.close()
    }

    static ROI circle(double x, double y, double radius, int z, int t) {
        return ROIs.createEllipseROI(x - radius, y - radius, 2 * radius, 2 * radius, ImagePlane.getPlane(z, t))
    }

    /** Whether an object's outline (or its nucleus) has its centroid within half a pixel of (x, y). */
    @CompileStatic
    static boolean isAt(PathObject object, double x, double y) {
        if (near(object.getROI(), x, y)) {
            return true
        }
        def nucleus = object instanceof PathCellObject ? ((PathCellObject) object).getNucleusROI() : null
        return nucleus != null && near(nucleus, x, y)
    }

    @CompileStatic
    private static boolean near(ROI roi, double x, double y) {
        return Math.hypot(roi.centroidX - x, roi.centroidY - y) <= 0.5d
    }

    // --- cells files ----------------------------------------------------------------------------

    /**
     * Writes pycyto/cells/<entry ID>.geojson from what is on disk, and returns how many objects it holds.
     * Objects in memory may differ from the file, whose hash must be theirs, so they are read anew.
     */
    static int writeCells(PycytoImage image) {
        String sha = image.dataSha256()
        List<PathObject> objects = sha ? image.objectsOnDisk() : new ArrayList<PathObject>()
        def header = [schema: SCHEMA, entry_id: image.id, data_sha256: sha,
                      qupath: GeneralTools.version.toString(), written_at: now()]
        writing(new File(image.job.workspace, "cells/${image.id}.geojson")) { Writer out ->
            out << '{"type":"FeatureCollection",\n"pycyto":' << JSON.toJson(header) << ',\n"features":[\n'
            String separator = ''
            for (PathObject object in objects) {
                out << separator << feature(object)
                separator = ',\n'
            }
            out << '\n]}\n'
        }
        if (image.dataSha256() != sha) {
            refuse('The data of this image changed while it was read. Run this script again.')
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
            text = JSON.toJson(tree)
        }
        return text.substring(0, text.lastIndexOf('}')) + ',"pycyto":' + JSON.toJson(exact(object)) + '}'
    }

    @CompileStatic
    private static Map<String, Object> exact(PathObject object) {
        ROI roi = object.getROI()
        Map<String, Object> result = [
            centroid: numbers(roi.centroidX, roi.centroidY),
            bounds: numbers(roi.boundsX, roi.boundsY, roi.boundsWidth, roi.boundsHeight),
            area: area(roi), z: roi.z, t: roi.t,
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

    @CompileStatic
    static double area(ROI roi) {
        double area = roi.getArea()
        return roi.isArea() && Double.isFinite(area) ? area : 0.0d
    }

    // A point annotation whose last point was deleted has no centroid; it stands for no cell either.
    @CompileStatic
    private static List<Double> numbers(double... values) {
        return values.collect { double it -> Double.isFinite(it) ? it : 0.0d }
    }

    // --- files ----------------------------------------------------------------------------------

    static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create()
    static final Gson PRETTY = new GsonBuilder().disableHtmlEscaping().setPrettyPrinting().serializeNulls().create()
    private static final Gson LOOSE = new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE).create()
    private static final Gson QUPATH = GsonTools.getInstance(false)

    /** Writes a text file beside itself and renames it, so that nobody ever sees a part of it. */
    static void writing(File file, Closure action) {
        file.parentFile.mkdirs()
        def part = new File(file.parentFile, ".${file.name}.${ProcessHandle.current().pid()}.part")
        try {
            part.withWriter('UTF-8') { Writer out -> action.call(out) }
            replace(part, file)
        } finally {
            part.delete()
        }
    }

    static void writePng(File file, BufferedImage image) {
        file.parentFile.mkdirs()
        def part = new File(file.parentFile, ".${file.name}.${ProcessHandle.current().pid()}.part")
        try {
            if (!ImageIO.write(image, 'PNG', part)) {
                refuse('This Java cannot write PNG files.')
            }
            replace(part, file)
        } finally {
            part.delete()
        }
    }

    static void copy(File source, File target) {
        target.parentFile.mkdirs()
        def part = new File(target.parentFile, ".${target.name}.${ProcessHandle.current().pid()}.part")
        Files.copy(source.toPath(), part.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES)
        replace(part, target)
    }

    static void replace(File source, File target) {
        target.parentFile.mkdirs()
        FileChannel.open(source.toPath(), StandardOpenOption.WRITE).withCloseable { FileChannel it -> it.force(true) }
        Files.move(source.toPath(), target.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE)
    }

    static void writeJson(File file, Object value) {
        writing(file) { Writer out -> out << PRETTY.toJson(value) << '\n' }
    }

    static JsonObject readJson(File file) {
        try {
            return JsonParser.parseString(file.getText('UTF-8')).asJsonObject
        } catch (JsonParseException | IllegalStateException e) {
            refuse("This file is not valid JSON: ${file} (${e.message}). Restore it from a backup.")
        }
    }

    static Map<String, Object> toMap(JsonElement json) {
        return LOOSE.fromJson(json, Map) as Map<String, Object>
    }

    /** Calls an action with each row of a CSV file, the first one included. */
    @CompileStatic
    static void eachRow(File file, Closure action) {
        file.withReader('UTF-8') { Reader input ->
            def reader = new PushbackReader(new BufferedReader(input))
            for (List<String> row = nextRow(reader); row != null; row = nextRow(reader)) {
                action.call(row)
            }
        }
    }

    @CompileStatic
    private static List<String> nextRow(PushbackReader input) {
        List<String> row = []
        def cell = new StringBuilder()
        boolean quoted = false
        for (int c = input.read(); ; c = input.read()) {
            if (c < 0) {
                return row || cell.length() ? row + [cell.toString()] : null
            } else if (c == ('"' as char)) {
                int next = quoted ? input.read() : 0
                if (quoted && next == ('"' as char)) {
                    cell.append('"')
                } else {
                    if (quoted && next >= 0) {
                        input.unread(next)
                    }
                    quoted = !quoted
                }
            } else if (!quoted && c == (',' as char)) {
                row << cell.toString()
                cell.setLength(0)
            } else if (!quoted && c == ('\n' as char)) {
                return row + [cell.toString()]
            } else if (quoted || c != ('\r' as char)) {
                cell.append((char) c)
            }
        }
    }

    static String csvRow(Collection<?> values) {
        return values.collect { value ->
            String text = value == null ? '' : value.toString()
            text.find('[",\r\n]') ? '"' + text.replace('"', '""') + '"' : text
        }.join(',')
    }

    static String sha256(File file) {
        def digest = MessageDigest.getInstance('SHA-256')
        file.eachByte(1 << 20) { byte[] bytes, int n -> digest.update(bytes, 0, n) }
        return hex(digest.digest())
    }

    static String sha256(String text) {
        return hex(MessageDigest.getInstance('SHA-256').digest(text.getBytes('UTF-8')))
    }

    private static String hex(byte[] bytes) {
        return bytes.encodeHex().toString()
    }

    static String now() {
        return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString()
    }

    /** Runs something on the thread of the window and waits for it. */
    static void inWindow(Closure action) {
        if (Platform.isFxApplicationThread()) {
            action.call()
        } else {
            FXUtils.callOnApplicationThread({ action.call() } as Callable)
        }
    }
}

/** A message for the user: what happened, and what to do about it. */
class PycytoRefusal extends RuntimeException {
    PycytoRefusal(String message) {
        super(message)
    }
}

/** One run of a script: its settings, the project, the lock and the result file. */
class PycytoJob {
    final String name
    final boolean batchSave
    final QuPathGUI gui = QuPathGUI.getInstance()
    Map<String, Object> config = [:]
    Project<BufferedImage> project
    File folder
    String error

    private final Script script
    private final int batchIndex
    private final boolean batchLast
    private final String startedAt = Pycyto.now()
    private final Map<String, Map<String, Object>> done = [:]
    private final List<File> held = []

    PycytoJob(Script script, String name) {
        this.script = script
        this.name = name
        batchIndex = (bound('qupath.script.batchIndex') ?: 0) as int
        batchLast = ((bound('qupath.script.batchSize') ?: 1) as int) <= 1 || bound('qupath.script.batchLast') as boolean
        batchSave = (bound('qupath.script.batchSave') ?: false) as boolean
    }

    File getWorkspace() {
        return new File(folder, 'pycyto')
    }

    /** Settings of the script, overridden by the config file that the first argument names. */
    void configure(Map<String, Object> settings) {
        config = new LinkedHashMap<String, Object>(settings)
        def args = bound('args') as String[]
        if (!args) {
            return
        }
        def file = new File(args[0])
        if (!file.isFile()) {
            Pycyto.refuse("There is no config file ${file}. The first argument of this script is the path of a JSON file.")
        }
        Map<String, Object> given = Pycyto.toMap(Pycyto.readJson(file))
        // Known before anything can go wrong, so that the result file has its place.
        if (given.project) {
            folder = new File(given.project as String)
        }
        given.each { String key, value ->
            if (!config.containsKey(key) && !(key in Pycyto.CALLER_KEYS)) {
                Pycyto.refuse("There is no setting '${key}' in ${name}. Known are: ${settings.keySet().join(', ')}.")
            }
            config[key] = value instanceof Map && config[key] instanceof Map ? (config[key] as Map) + (value as Map) : value
        }
    }

    void openProject() {
        if (folder != null) {
            def file = new File(folder, 'project.qpproj')
            if (!file.isFile()) {
                folder = null
                Pycyto.refuse("There is no QuPath project at ${file}.")
            }
            project = ProjectIO.loadProject(file, BufferedImage)
        } else {
            project = (Project<BufferedImage>) QP.project
            if (project == null) {
                Pycyto.refuse('No project is open. Open one in QuPath (File > Project > Open project), then run this script again.')
            }
            folder = project.path.toFile().parentFile
        }
    }

    /** The image at hand; with a project in the config file, those asked for or all. */
    List<PycytoImage> images() {
        if (config.project) {
            Collection<String> wanted = (config.images as Collection)*.toString() ?: project.imageList*.getID()
            Map<String, ProjectImageEntry<BufferedImage>> byId = project.imageList.collectEntries { [(it.getID()): it] }
            wanted.each { String id ->
                if (!byId.containsKey(id)) {
                    Pycyto.refuse("The project has no image with entry ID ${id}.")
                }
            }
            return wanted.collect { String id -> new PycytoImage(this, byId[id], null) }
        }
        def data = (ImageData<BufferedImage>) QP.currentImageData
        if (data == null) {
            Pycyto.refuse('No image is open. Open one by a double click in the list of the project, or choose "Run for project (without saving)".')
        }
        def entry = project.getEntry(data)
        if (entry == null) {
            Pycyto.refuse('The open image does not belong to the open project. Add it (File > Project > Add images), open it from the list and run this script again.')
        }
        return [new PycytoImage(this, entry, data)]
    }

    void handle(PycytoImage image, Closure<Map<String, Object>> action) {
        Map<String, Object> counts = [:]
        String problem = null
        try {
            image.checkViewers()
            counts = action.call(image)
        } catch (PycytoRefusal refusal) {
            problem = refusal.message
        } catch (Throwable e) {
            Pycyto.LOG.error("${name}, image with entry ID ${image.id}", e)
            problem = e.toString()
        } finally {
            image.close()
        }
        if (problem != null) {
            Pycyto.LOG.error("{}: {} (entry ID {}): {}", name, image.entry.imageName, image.id, problem)
        }
        done[image.id] = [ok: problem == null, error: problem] + (counts ?: image.counts)
    }

    /** The project's ID; the first script or command that writes makes it. */
    String getProjectId() {
        def file = new File(workspace, 'project.json')
        if (!file.exists()) {
            Pycyto.writeJson(file, [schema: Pycyto.SCHEMA, project_id: UUID.randomUUID().toString(), created_at: Pycyto.now()])
        }
        return Pycyto.readJson(file).get('project_id').asString
    }

    /** Keeps other scripts and commands out of a folder; the caller of a headless script may hold the lock for it. */
    void lock(File place) {
        def note = new File(place, 'lock.json')
        if (note in held) {
            return
        }
        place.mkdirs()
        for (int attempt = 0; attempt < 2; attempt++) {
            try {
                def mine = [pid: ProcessHandle.current().pid(), host: hostName(), since: Pycyto.now(), by: name]
                Files.writeString(note.toPath(), Pycyto.JSON.toJson(mine), StandardOpenOption.CREATE_NEW)
                held << note
                return
            } catch (FileAlreadyExistsException ignored) {
                Map<String, Object> other
                try {
                    other = Pycyto.toMap(Pycyto.readJson(note))
                } catch (PycytoRefusal | IOException half) {
                    continue // just being written or just gone: look again
                }
                if (other.pid as String == config.lock_holder as String) {
                    return
                }
                boolean here = other.host == hostName()
                if (here && !ProcessHandle.of(other.pid as long).isPresent()) {
                    note.delete() // left by a process that was killed
                    continue
                }
                Pycyto.refuse("Another pycyto is at work in ${place} (process ${other.pid} on ${other.host} since ${other.since}). "
                    + "Wait until it has finished. If you are sure that it has, delete ${note}.")
            }
        }
        Pycyto.refuse("The lock ${note} cannot be had. Try again, or delete it.")
    }

    private static String hostName() {
        try {
            return InetAddress.localHost.hostName
        } catch (UnknownHostException ignored) {
            return System.getenv('HOSTNAME') ?: System.getenv('COMPUTERNAME') ?: 'unknown'
        }
    }

    void unlock() {
        held.each { File note -> note.delete() }
    }

    /** Writes the result file, and tells the user how it went. */
    void finish() {
        Map<String, Map<String, Object>> images = new LinkedHashMap<>(done)
        String started = startedAt
        def file = folder == null ? null : new File(workspace, "results/${name}.json")
        // "Run for project" is one run of the script per image: the file covers those so far.
        if (batchIndex > 0 && file?.exists()) {
            Map<String, Object> before = Pycyto.toMap(Pycyto.readJson(file))
            started = before.started_at
            images = (before.images as Map<String, Map<String, Object>>) + images
            error = error ?: (before.images ? null : before.error as String)
        }
        List<String> problems = images.findAll { it.value.error != null }.collect { "entry ID ${it.key}: ${it.value.error}".toString() }
        String problem = error ?: problems ? ([error] + problems).findAll().join('\n') : null
        Map<String, Object> counts = total(images.values())
        if (file != null) {
            Pycyto.writeJson(file, [schema: Pycyto.SCHEMA, script: name, qupath: GeneralTools.version.toString(),
                started_at: started, finished_at: Pycyto.now(), ok: problem == null, error: problem,
                counts: counts, images: images])
        }
        tell(images.size(), counts, problem)
    }

    private void tell(int n, Map<String, Object> counts, String problem) {
        String text = "${name}: ${n} image${n == 1 ? '' : 's'}; " + counts.collect { k, v -> "${k} ${v}" }.join(', ')
        Pycyto.LOG.info(text)
        if (error != null) {
            Pycyto.LOG.error("{}: {}", name, error)
        }
        if (gui == null || !batchLast) {
            return
        }
        if (problem != null) {
            Dialogs.showErrorMessage("pycyto: ${name}", problem)
        } else {
            // A notification is as wide as its longest line.
            List<String> lines = counts.collect { k, v -> "${k}: ${v instanceof Map ? v.values().sum() ?: 0 : v}".toString() }
            Dialogs.showInfoNotification("pycyto: ${name}", (["${n} image${n == 1 ? '' : 's'}"] + lines).join('\n'))
        }
    }

    private static Map<String, Object> total(Collection<Map<String, Object>> parts) {
        Map<String, Object> sum = [:]
        parts.each { part ->
            part.each { key, value ->
                if (value instanceof Number) {
                    sum[key] = ((sum[key] ?: 0L) as long) + (value as long)
                } else if (value instanceof Map) {
                    sum[key] = total([(sum[key] ?: [:]) as Map<String, Object>, value as Map<String, Object>])
                }
            }
        }
        return sum
    }

    private Object bound(String variable) {
        return script.binding.hasVariable(variable) ? script.binding.getVariable(variable) : null
    }
}

/** One image of the project, and the data of it that the script works on. */
class PycytoImage {
    final PycytoJob job
    final ProjectImageEntry<BufferedImage> entry
    final String id
    final Map<String, Object> counts = [:]  // what is known when an action ends with a refusal
    private ImageData<BufferedImage> imageData
    private final boolean opened

    PycytoImage(PycytoJob job, ProjectImageEntry<BufferedImage> entry, ImageData<BufferedImage> imageData) {
        this.job = job
        this.entry = entry
        this.id = entry.getID()
        this.imageData = imageData
        this.opened = imageData == null
    }

    ImageData<BufferedImage> getData() {
        if (imageData == null) {
            imageData = entry.readImageData()
        }
        return imageData
    }

    File getDataFile() {
        return entry.entryPath.resolve('data.qpdata').toFile()
    }

    /** SHA-256 of data.qpdata, empty where the image was never saved. */
    String dataSha256() {
        def backup = new File(dataFile.parentFile, 'data.qpdata.bkp')
        if (backup.exists()) {
            Pycyto.refuse("A save of this image was interrupted: QuPath's backup ${backup} lies beside its data. "
                + 'Open the image, check that all objects are there, and save it.')
        }
        return dataFile.exists() ? Pycyto.sha256(dataFile) : ''
    }

    /** All objects but the root, in QuPath's order: those in memory. */
    List<PathObject> objects() {
        return withoutRoot(data.hierarchy)
    }

    /** ... and as they are on disk. */
    List<PathObject> objectsOnDisk() {
        return dataFile.exists() ? withoutRoot(entry.readHierarchy()) : new ArrayList<PathObject>()
    }

    private static List<PathObject> withoutRoot(PathObjectHierarchy hierarchy) {
        return hierarchy.getFlattenedObjectList(null).findAll { !it.isRootObject() }
    }

    /** What a row of the manifest says of the image: keys, names, and what its metadata tells. */
    Map<String, Object> manifestColumns(Map<String, String> metadataKeys) {
        // As in Python: the digest of the first URI, however many slashes QuPath wrote.
        String uri = entry.getURIs()[0].toASCIIString().replaceFirst('^file:/+', 'file:///')
        Map<String, Object> columns = [
            schema: Pycyto.SCHEMA, note: Pycyto.CONFIDENTIAL, project_id: job.projectId, entry_id: id,
            image_key: Pycyto.sha256(uri).substring(0, 16), image_name: entry.imageName,
            project_name: job.folder.name, source: job.folder.name,
        ]
        metadataKeys.each { column, key -> columns[column] = entry.getMetadataValue(key)?.trim() ?: Pycyto.UNKNOWN }
        return columns
    }

    /** Saves what the user has not saved yet, so that the file on disk is what the window shows. */
    void saveChanges() {
        if (imageData != null && hasUnsavedObjects(imageData)) {
            entry.saveImageData(imageData)
        }
    }

    /** QuPath calls an image changed as soon as it is shown; only other objects than on disk count here. */
    private boolean hasUnsavedObjects(ImageData<BufferedImage> shown) {
        if (!dataFile.exists()) {
            return !shown.hierarchy.isEmpty()
        }
        return shown.isChanged()
            && withoutRoot(shown.hierarchy).collect { Pycyto.asQuPath(it) } != objectsOnDisk().collect { Pycyto.asQuPath(it) }
    }

    /** Scripts that keep the hash of data.qpdata save by themselves; a save after them would spoil it. */
    void refuseSaveAfterwards() {
        if (job.batchSave) {
            Pycyto.refuse('This script saves by itself. Start it with "Run for project (without saving)", or headless without --save.')
        }
    }

    /** A batch works on its own copy of an image: refuse when a viewer holds unsaved changes of it. */
    void checkViewers() {
        if (viewers().any { hasUnsavedObjects(it.imageData) }) {
            Pycyto.refuse('This image is open with unsaved changes. Save it (File > Save), then run this script again.')
        }
    }

    /** Shows what is on disk in the viewers that hold an older copy of this image. */
    void refreshViewers() {
        def stale = viewers()
        if (stale) {
            Pycyto.inWindow { stale.each { it.setImageData(entry.readImageData()) } }
        }
    }

    private List<QuPathViewer> viewers() {
        return job.gui == null ? [] : job.gui.allViewers.findAll {
            it.imageData != null && !it.imageData.is(imageData) && job.project.getEntry(it.imageData) == entry
        }.toList()
    }

    void close() {
        if (opened && imageData != null) {
            imageData.server.close()
        }
    }
}
