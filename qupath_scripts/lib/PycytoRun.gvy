/*
 * The folder of a prediction run, staged by "pycyto predict" in pycyto/runs; see docs/formats.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import java.util.function.BiConsumer

class PycytoRun {
    final PycytoProject project
    final File folder
    final JsonObject json  // as a tree, so that what this script does not know stays in it

    PycytoRun(PycytoProject project, File folder) {
        this.project = project
        this.folder = folder
        json = PycytoFiles.readJson(new File(folder, 'run.json'))
    }

    /** All runs of a project, the oldest first. */
    static List<PycytoRun> all(PycytoProject project) {
        File[] files = new File(project.workspace, 'runs').listFiles() ?: new File[0]
        List<PycytoRun> all = files.findAll { new File(it, 'run.json').isFile() }.collect { new PycytoRun(project, it) }
        return all.sort { a, b -> a.createdAt <=> b.createdAt ?: a.name <=> b.name }
    }

    /**
     * The run of a name, else the newest that was not taken back. Never an older one by itself:
     * it may be what somebody decided against.
     */
    static PycytoRun chosen(PycytoProject project, String wanted) {
        List<PycytoRun> all = all(project)
        def found = wanted ? all.find { it.name == wanted } : all.findAll { it.state != 'undone' }.with { it ? it.last() : null }
        if (found == null) {
            Pycyto.refuse((wanted ? "There is no run '${wanted}' in this project." : 'No run waits to be loaded into this project.')
                + " Known runs: ${all*.name.join(', ') ?: 'none'}. pycyto predict makes one.")
        }
        if (found.json.get('project_id').asString != project.id) {
            Pycyto.refuse("The run ${found.name} was made for another project. Predict again on this one.")
        }
        return found
    }

    /** The newest run whose predictions are in one of these images. */
    static PycytoRun newestIn(PycytoProject project, Collection<String> imageIds) {
        def there = all(project).findAll { run -> imageIds.any { run.has(it) && run.get(it, 'state') == 'written' } }
        if (!there) {
            Pycyto.refuse('There are no predictions here to take back: no run is loaded. "pycyto runs" lists all runs.')
        }
        return there.last()
    }

    String getName() { folder.name }

    String getState() { json.get('state').asString }

    String getCreatedAt() { json.get('created_at').asString }

    String getScheme() { json.get('scheme').asString }

    Map<String, List<Number>> getColours() { PycytoFiles.toMap(json.get('colours')) as Map<String, List<Number>> }

    /** The first 24 bits of the run's UUID: a detection's measurement (float) holds them exactly. */
    double getMark() { Long.parseLong(json.get('run_id').asString.replace('-', '').substring(0, 6), 16) as double }

    // --- state of an image -----------------------------------------------------------------------

    boolean has(String imageId) {
        return json.getAsJsonObject('images').has(imageId)
    }

    List<String> getImageIds() { json.getAsJsonObject('images').keySet() as List<String> }

    /** How many cells were predicted of each class. */
    Map<String, Number> getPredicted() { PycytoFiles.toMap(json.getAsJsonObject('counts').get('by_class')) as Map<String, Number> }

    /** A text of an image's state, empty where there is none. */
    String get(String imageId, String key) {
        def value = json.getAsJsonObject('images').getAsJsonObject(imageId)?.get(key)
        return value == null ? '' : value.asString
    }

    /** Notes something of an image in run.json, with the state of the whole run that follows. */
    void note(String imageId, Map<String, Object> values) {
        JsonObject image = json.getAsJsonObject('images').getAsJsonObject(imageId)
        values.each { key, value -> image.add(key, PycytoFiles.JSON.toJsonTree(value)) }
        Set<String> states = json.getAsJsonObject('images').entrySet().collect { get(it.key, 'state') } as Set
        json.addProperty('state', states.size() == 1 ? states[0] : 'written' in states ? 'partly written'
            : ['staged', 'overwritten', 'undone'].find { it in states })
        PycytoFiles.writeJson(new File(folder, 'run.json'), json)
    }

    File snapshot(PycytoImage image) {
        return new File(folder, "snapshots/${image.id}")
    }

    /** Copies an image's data before it is changed, and notes which state a change under way starts from. */
    void keep(PycytoImage image, File target, String key) {
        String sha = image.dataSha256()
        [image.dataFile, new File(image.dataFile.parentFile, 'summary.json'), image.cellsFile].each { File source ->
            if (source.exists()) {
                PycytoFiles.copy(source, new File(target, source.name))
            }
        }
        if (sha && PycytoFiles.sha256(new File(target, 'data.qpdata')) != sha) {
            Pycyto.refuse('The data of this image changed while it was copied. Start again when nothing else is at work on the project.')
        }
        note(image.id, [(key): sha, pending_sha256: sha])
    }

    /** Puts the state before a save of ours back that did not come to its end; of no other's. */
    void recover(PycytoImage image) {
        String before = get(image.id, 'pending_sha256')
        if (image.backupFile.exists() && before && PycytoFiles.sha256(image.backupFile) == before) {
            PycytoFiles.replace(image.backupFile, image.dataFile)
        }
    }

    /** Whether the image's data became what it is through pycyto alone since it was in a certain state. */
    boolean isOursSince(PycytoImage image, String sha256) {
        Map<String, String> before = [:]
        all(project).findAll { it.has(image.id) }.each { run ->
            before[run.get(image.id, 'written_sha256')] = run.get(image.id, 'snapshot_sha256')
            before.putIfAbsent(run.get(image.id, 'undone_sha256'), run.get(image.id, 'undone_from_sha256'))
        }
        before.remove('')
        String state = image.dataSha256()
        while (state != sha256 && before.containsKey(state)) {
            state = before.remove(state)
        }
        return state == sha256
    }

    // --- tables ----------------------------------------------------------------------------------

    /** Calls an action with each row of an image's table: its columns, and its probabilities as measurements. */
    @CompileStatic
    void eachRowOf(String table, String imageId, BiConsumer<Map<String, String>, Map<String, Double>> action) {
        def file = new File(folder, "${table}/${imageId}.csv")
        if (!file.exists()) {
            return
        }
        Map<String, String> measurements = new LinkedHashMap<String, String>()  // by column
        PycytoFiles.eachNamedRow(file, (Map<String, String> row) -> {
            if (measurements.isEmpty()) {
                row.keySet().findAll { String it -> it.startsWith('P(') }.each { String it -> measurements.put(it, 'pycyto: ' + it) }
            }
            Map<String, Double> values = new LinkedHashMap<String, Double>()
            for (Map.Entry<String, String> it : measurements.entrySet()) {
                values.put(it.value, Double.valueOf(row.get(it.key)))
            }
            action.accept(row, values)
        })
    }

    /** What was written into an image, by object ID: what was done, its class before, and where it was. */
    Map<String, Map<String, String>> written(String imageId) {
        Map<String, Map<String, String>> rows = [:]
        eachRowOf('written', imageId) { Map<String, String> row, values -> rows[row.object_id] = row }
        return rows
    }

    @CompileStatic
    void saveWritten(String imageId, Collection<Map<String, String>> rows) {
        PycytoFiles.writing(new File(folder, "written/${imageId}.csv")) { Writer out ->
            out.write(PycytoFiles.csvRow(WRITTEN_COLUMNS) + '\n')
            for (Map<String, String> row : rows) {
                List<String> cells = new ArrayList<String>(WRITTEN_COLUMNS.size())
                for (String column : WRITTEN_COLUMNS) {
                    cells.add(row.get(column))
                }
                out.write(PycytoFiles.csvRow(cells) + '\n')
            }
        }
    }

    private static final List<String> WRITTEN_COLUMNS = ['object_id', 'done', 'class', 'former_class', 'former_run', 'former_colour', 'former_name', 'former_locked', 'x', 'y', 'area']
}
