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

import org.codehaus.groovy.control.CompilerConfiguration

// --- settings -------------------------------------------------------------------------------
def settings = [:]  // there is nothing to choose: every object is written, whatever its class

// --- guard ----------------------------------------------------------------------------------
if (!binding.hasVariable('qupath.script.file')) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def lib = new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib')
def loader = new GroovyClassLoader(getClass().classLoader, new CompilerConfiguration(scriptExtensions: ['gvy'] as Set, defaultScriptExtension: 'gvy'))
loader.addClasspath(lib.path)
def pycyto = loader.loadClass('Pycyto')
def cells = loader.loadClass('PycytoCells')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'export_cells', settings) { job, image ->
    job.refuseSaveAfterwards()
    image.saveChanges()
    job.project.id  // made here when the project has none yet
    [objects: cells.write(image)]
}
