/*
 * Writes all objects of an image to <project>/pycyto/cells/<entry ID>.geojson, with
 * exact centroids, so that pycyto can read them on a machine without QuPath.
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj export_cells.groovy
 * Unsaved changes of the open image are saved first: the file belongs to what is on disk.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [:]  // there is nothing to choose: every object is written, whatever its class

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def cells = load('PycytoCells')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'export_cells', settings) { job, image ->
    job.refuseSaveAfterwards()
    image.saveChanges()
    job.project.id  // made here when the project has none yet
    [objects: cells.write(image)]
}
