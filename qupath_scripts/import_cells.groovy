/*
 * Loads the cells of a public set, as classified points, onto the fields that they are in:
 * those of "<image name>.geojson" in the folder that "pycyto ingest --to-project" has left.
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj import_cells.groovy
 * Cells that an image has already are left as they are, so running it twice changes nothing.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    folder: '',  // with the .geojson files; empty: pycyto/fields in the project
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def fields = load('PycytoFields')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'import_cells', settings) { job, image ->
    job.refuseSaveAfterwards()
    image.saveChanges()
    job.project.id  // made here when the project has none yet
    def counts = fields.load(image, job.config.folder ? new File(job.config.folder) : new File(job.project.workspace, 'fields'))
    image.refreshViewers()
    counts
}
