// Yarn's own way to remove packages for development came with version 4. This is the same for all.
module.exports = {
  name: 'plugin-kigo-prune',
  factory: (require) => {
    const { BaseCommand } = require('@yarnpkg/cli');
    const { Cache, Configuration, Project, StreamReport } = require('@yarnpkg/core');
    class Prune extends BaseCommand {
      async execute() {
        const configuration = await Configuration.find(this.context.cwd, this.context.plugins);
        const { project } = await Project.find(configuration, this.context.cwd);
        await project.restoreInstallState({ restoreResolutions: false });
        const cache = await Cache.find(configuration);
        for (const workspace of project.workspaces) workspace.manifest.devDependencies.clear();
        const stdout = this.context.stdout;
        const report = await StreamReport.start({ configuration, stdout }, async (report) => {
          await project.install({ cache, report, persistProject: false });
          // With Plug'n'Play, packages are their zip files.
          await project.cacheCleanup({ cache, report });
        });
        return report.exitCode();
      }
    }
    // Version 2 has the first of these, later ones the second.
    if (Prune.addPath) Prune.addPath('kigo', 'prune');
    Prune.paths = [['kigo', 'prune']];
    return { commands: [Prune] };
  },
};
