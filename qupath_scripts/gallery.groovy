/*
 * Reviews the cells of a prediction run page by page: many cells of one predicted class at a time, the
 * riskiest first. One key accepts what is left on a page, but for cells that may be HSIL or where you
 * have said something else before: each of these wants a key of its own (docs/gallery.md).
 *
 * Needs QuPath's window. What was decided is kept as in review.groovy, which goes on where this stopped.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    run: '',           // folder name of the run below pycyto/runs; empty: the newest
    reviewer: '',      // your name; empty: asked for once, and kept in QuPath's preferences
    columns: 8,        // cells side by side
    rows: 6,           // ... and below each other
    hsil_above: 0.2,   // cells whose P(HSIL) is this or more are never accepted with their page
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')

// --- action ---------------------------------------------------------------------------------
pycyto.open(this, 'gallery', settings, { job -> load('PycytoGalleryWindow').open(job) }) { job, image ->
    pycyto.refuse('The gallery needs the window of QuPath. Without it, review.groovy completes what was decided there.')
}
