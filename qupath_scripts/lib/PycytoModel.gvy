/*
 * Which model predicts: the one in a script's setting, else the one used last in this project, or
 * on this machine; else the user is asked.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import qupath.fx.dialogs.FileChoosers
import qupath.lib.gui.prefs.PathPrefs

class PycytoModel {
    private static final String ASK = 'ask'

    /** Folder of the model bundle to use. */
    static File find(PycytoProject project, String setting) {
        def remembered = ['pycyto.model.' + project.id, 'pycyto.model'].collect { PathPrefs.createPersistentPreference(it, '') }
        def named = setting == ASK ? null : setting ?: remembered*.get().find { it && isBundle(new File(it)) }
        def model = named ? new File(named) : ask(project)
        if (!isBundle(model)) {
            Pycyto.refuse("There is no model in ${model}: a folder that \"pycyto train\" has made holds a file bundle.json. "
                + 'Choose such a folder, or name it in the setting "model".', 'bad input')
        }
        remembered.each { it.set(model.path) }
        return model
    }

    private static boolean isBundle(File folder) {
        return new File(folder, 'bundle.json').isFile()
    }

    private static File ask(PycytoProject project) {
        if (project.gui == null) {
            Pycyto.refuse('No model is named: give the folder of one in the setting "model".', 'bad input')
        }
        def chosen = Pycyto.inWindow { FileChoosers.promptForDirectory('Folder of the model that is to predict', null) }
        if (chosen == null) {
            Pycyto.refuse('No model was chosen. Nothing was done.', 'cancelled')
        }
        return chosen
    }
}
