import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './ConfigEditor';
import { ThumpDataSource } from './datasource';
import { QueryEditor } from './QueryEditor';
import type { ThumpOptions, ThumpQuery, ThumpSecrets } from './types';

export const plugin = new DataSourcePlugin<ThumpDataSource, ThumpQuery, ThumpOptions, ThumpSecrets>(ThumpDataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
