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

    final String name
    Map<String, Object> config = [:]
    PycytoProject project
    String error

    private final Script script
    private final boolean batchSave
    private final int batchIndex
    private final boolean batchLast
    private final String startedAt = PycytoFiles.now()
    private final Map<String, Map<String, Object>> done = [:]
    private final PycytoLock lock = new PycytoLock()

    PycytoJob(Script script, String name) {
        this.script = script
        this.name = name
        batchIndex = (bound('qupath.script.batchIndex') ?: 0) as int
        batchLast = ((bound('qupath.script.batchSize') ?: 1) as int) <= 1 || bound('qupath.script.batchLast') as boolean
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
            if (QP.project == null) {
                Pycyto.refuse('No project is open. Open one in QuPath (File > Project > Open project), then run this script again.')
            }
            project = new PycytoProject((Project<BufferedImage>) QP.project)
        }
    }

    /** The image at hand; with a project in the config file, those asked for or all. */
    List<PycytoImage> images() {
        if (config.project) {
            return ((config.images as Collection)*.toString() ?: project.imageIds).collect { String id -> project.image(id) }
        }
        def data = (ImageData<BufferedImage>) QP.currentImageData
        if (data == null) {
            Pycyto.refuse('No image is open. Open one by a double click in the list of the project, or choose "Run for project (without saving)".')
        }
        def entry = project.project.getEntry(data)
        if (entry == null) {
            Pycyto.refuse('The open image does not belong to the open project. Add it (File > Project > Add images), open it from the list and run this script again.')
        }
        return [new PycytoImage(project, entry, data)]
    }

    void handle(PycytoImage image, Closure<Map<String, Object>> action) {
        Map<String, Object> counts = [:]
        String problem = null
        try {
            image.checkViewers()
            counts = action.call(this, image)
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

    /** Scripts that keep the hash of data.qpdata save by themselves; a save after them would spoil it. */
    void refuseSaveAfterwards() {
        if (batchSave) {
            Pycyto.refuse('This script saves by itself. Start it with "Run for project (without saving)", or headless without --save.')
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
        Map<String, Map<String, Object>> images = new LinkedHashMap<>(done)
        String started = startedAt
        def file = project == null ? null : new File(project.workspace, "results/${name}.json")
        // "Run for project" is one run of the script per image: the file covers those so far.
        if (batchIndex > 0 && file?.exists()) {
            Map<String, Object> before = PycytoFiles.toMap(PycytoFiles.readJson(file))
            started = before.started_at
            images = (before.images as Map<String, Map<String, Object>>) + images
            error = error ?: (before.images ? null : before.error as String)
        }
        List<String> problems = images.findAll { it.value.error != null }.collect { "entry ID ${it.key}: ${it.value.error}".toString() }
        String problem = error ?: problems ? ([error] + problems).findAll().join('\n') : null
        Map<String, Object> counts = total(images.values())
        if (file != null) {
            PycytoFiles.writeJson(file, [schema: Pycyto.SCHEMA, script: name, qupath: GeneralTools.version.toString(),
                started_at: started, finished_at: PycytoFiles.now(), ok: problem == null, error: problem,
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
        if (project?.gui == null || !batchLast) {
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
