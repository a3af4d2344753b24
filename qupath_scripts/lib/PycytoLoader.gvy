/*
 * Finds the classes that the scripts share: those in the folder of this file. A script loads this
 * class first, and with it the others by their names.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import org.codehaus.groovy.control.CompilerConfiguration

class PycytoLoader {
    /** What returns a class of this folder by its name. */
    static Closure<Class<?>> from(File lib) {
        def files = new CompilerConfiguration(scriptExtensions: ['gvy'] as Set, defaultScriptExtension: 'gvy')
        def loader = new GroovyClassLoader(PycytoLoader.classLoader, files)
        loader.addClasspath(lib.path)
        return { String name -> loader.loadClass(name) }
    }
}
