// Scripts and styles for Django's templates: no page, and names without a hash, which WhiteNoise
// can add.
export default {
  root: 'frontend',
  build: {
    rollupOptions: {
      input: 'frontend/main.js',
      output: { entryFileNames: '[name].js', assetFileNames: '[name][extname]' },
    },
  },
};
