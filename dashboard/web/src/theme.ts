import { createTheme } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'brand',
  primaryShade: { light: 7, dark: 5 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans SC", "PingFang SC", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  colors: {
    dark: [
      '#e3e8ee',
      '#c3cad3',
      '#98a2af',
      '#6d7785',
      '#3a434f',
      '#2a313a',
      '#222831',
      '#1a1f26',
      '#14181d',
      '#0f1216',
    ],
    brand: [
      '#eef5fb',
      '#dce9f5',
      '#b6d2ea',
      '#8db9df',
      '#6ba4d6',
      '#5697d1',
      '#3f86c6',
      '#2563a8',
      '#235c99',
      '#154f88',
    ],
  },
});
