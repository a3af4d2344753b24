/*
 * One run of a script: its settings, the project, the lock and the result file.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.awt.image.BufferedImage
import qupath.fx.dialogs.Dialogs
import qupath.lib.common.GeneralTools
import qupath.lib.gui.QuPathGUI
import qupath.lib.images.ImageData
import qupath.lib.projects.Project
import qupath.lib.scripting.QP

class PycytoJob {
    // Keys of a config file that belong to the caller, not to a script's settings.
    static final List<String> CALLER_KEYS = ['project', 'images', 'lock_holder']

    // Counts as users read them, where the key of the result file says too little.
    private static final Map<String, String> WORDS = [read_back: 'found again on the disk', gone: 'no longer there or moved', decided: 'left as decided in a review']

    final String name
    Map<String, Object> config = [:]
    PycytoProject project
    Map<String, Object> counts = [:]  // of the project as a whole, beside those of its images
    String error

    private final Script script
    private final boolean batchSave
    private final boolean isBatch
    private final int batchIndex
    private final boolean batchLast
    private final String startedAt = PycytoFiles.now()
    private final Map<String, Map<String, Object>> done = [:]
    private final Map<String, String> choices = [:]
    private List<String> imageIds = []
    private final PycytoLock lock = new PycytoLock()

    PycytoJob(Script script, String name) {
        this.script = script
        this.name = name
        batchIndex = (bound('qupath.script.batchIndex') ?: 0) as int
        isBatch = ((bound('qupath.script.batchSize') ?: 1) as int) > 1
        batchLast = !isBatch || bound('qupath.script.batchLast') as boolean
        batchSave = (bound('qupath.script.batchSave') ?: false) as boolean
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
        Map<String, Object> given = PycytoFiles.toMap(PycytoFiles.readJson(file))
        // Opened before anything else can go wrong, so that the result file has its place.
        if (given.project) {
            project = PycytoProject.open(new File(given.project as String, 'project.qpproj'))
        }
        given.each { String key, value ->
            if (!config.containsKey(key) && !(key in CALLER_KEYS)) {
                Pycyto.refuse("There is no setting '${key}' in ${name}. Known are: ${settings.keySet().join(', ')}.")
            }
            config[key] = value instanceof Map && config[key] instanceof Map ? (config[key] as Map) + (value as Map) : value
        }
    }

    /** Whether somebody at QuPath's window has started the script, and not for many images. */
    boolean isInWindow() {
        return QuPathGUI.getInstance() != null && batchIndex == 0 && batchLast
    }

    void openProject() {
        if (project == null) {
            def open = QP.project ?: QuPathGUI.instance?.project  // on a thread of our own QP knows none
            if (open == null) {
                Pycyto.refuse('No project is open. Open one in QuPath (File > Project > Open project), then run this script again.')
            }
            project = new PycytoProject((Project<BufferedImage>) open)
        }
    }

    /** The image at hand; with a project in the config file, those asked for or all. */
    List<PycytoImage> images() {
        if (config.project) {
            imageIds = (config.images as Collection)*.toString() ?: project.imageIds
            return imageIds.collect { String id -> project.image(id) }
        }
        def data = (ImageData<BufferedImage>) (QP.currentImageData ?: project.gui?.imageData)
        if (data == null) {
            Pycyto.refuse('No image is open. Open one by a double click in the list of the project, or choose "Run for project (without saving)".')
        }
        def entry = project.project.getEntry(data)
        if (entry == null) {
            Pycyto.refuse('The open image does not belong to the open project. Add it (File > Project > Add images), open it from the list and run this script again.')
        }
        imageIds = isBatch ? project.imageIds : [entry.getID()]
        return [new PycytoImage(project, entry, data)]
    }

    /** Entry IDs of the images that this run of the script is for, in "Run for project" all of them. */
    List<String> getImageIds() {
        return imageIds
    }

    /** A choice that is made for all images at once, in "Run for project" too, where each image is a run by itself. */
    String once(String what, Closure<?> choose) {
        return choices.computeIfAbsent(what) { earlier().choices?.get(what) ?: choose.call() as String }
    }

    void handle(PycytoImage image, Closure<Map<String, Object>> action) {
        Map<String, Object> counts = [:]
        String problem = null
        try {
            if (once('cancelled') { '' }) {
                Pycyto.refuse('Cancelled with an image before this one.', 'cancelled')
            }
            image.checkViewers()
            counts = action.call(this, image)
        } catch (PycytoRefusal refusal) {
            problem = refusal.message
            if (refusal.kind == 'cancelled') {
                choices.cancelled = 'yes'
            }
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

    /** Scripts that keep the hash of data.qpdata save by themselves; a save after them would spoil it. */
    void refuseSaveAfterwards() {
        if (batchSave) {
            Pycyto.refuse('This script saves by itself. Start it with "Run for project (without saving)", or headless without --save.')
        }
    }

    /** "Run for project" starts a script once for each image. */
    void refuseBatch() {
        if (isBatch) {
            Pycyto.refuse('This script is for the project as a whole. Start it with "Run", not with "Run for project".')
        }
    }

    /** Keeps other scripts and commands out of a folder; the caller of a headless script may hold the lock for it. */
    void lock(File place) {
        lock.take(place, name, config.lock_holder)
    }

    void unlock() {
        lock.giveBack()
    }

    /** Writes the result file, and tells the user how it went. */
    void finish() {
        Map<String, Object> before = earlier()
        String started = before.started_at ?: startedAt
        Map<String, Map<String, Object>> images = ((before.images ?: [:]) as Map<String, Map<String, Object>>) + done
        if (before) {
            error = error ?: (before.images ? null : before.error as String)
        }
        List<String> problems = images.findAll { it.value.error != null }.collect { "${project.called(it.key)}: ${it.value.error}".toString() }
        String problem = error ?: problems ? ([error] + problems).findAll().join('\n') : null
        Map<String, Object> sum = total(images.values() + this.counts)
        if (project != null) {
            PycytoFiles.writeJson(resultFile, [schema: Pycyto.SCHEMA, script: name, qupath: GeneralTools.version.toString(),
                started_at: started, finished_at: PycytoFiles.now(), ok: problem == null, error: problem,
                counts: sum, choices: choices.findAll { it.value }, images: images])
        }
        tell(images.size(), sum, problem)
        if (QuPathGUI.instance != null && QP.currentImageData != null) {
            PycytoUnchanged.keep(QP.currentImageData, new File(bound('qupath.script.file') as String))
        }
    }

    private File getResultFile() {
        return new File(project.workspace, "results/${name}.json")
    }

    /** "Run for project" is one run of the script per image: what the result file says of those before this one. */
    private Map<String, Object> earlier() {
        return batchIndex > 0 && project != null && resultFile.exists() ? PycytoFiles.toMap(PycytoFiles.readJson(resultFile)) : [:]
    }

    private void tell(int n, Map<String, Object> counts, String problem) {
        // A notification is as wide as its longest line.
        List<String> lines = (n ? ["${n} image${n == 1 ? '' : 's'}".toString()] : []) + counts.collect { k, v -> "${WORDS[k] ?: k.replace('_', ' ')}: ${v instanceof Map ? v.values().sum() ?: 0 : v}".toString() }
        Pycyto.LOG.info('{}: {}', name, lines.join(', '))
        if (error != null) {
            Pycyto.LOG.error('{}: {}', name, error)
        }
        if (QuPathGUI.instance == null || !batchLast) {
            return
        }
        if (problem == null) {
            Dialogs.showInfoNotification("pycyto: ${name}", lines.join('\n'))
        } else if (choices.cancelled && n == 1) {
            Dialogs.showInfoNotification("pycyto: ${name}", done.values().first().error as String)
        } else {
            Dialogs.showErrorMessage("pycyto: ${name}", problem)
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
