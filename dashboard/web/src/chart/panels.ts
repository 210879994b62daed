import type { Unit } from '../format';
import type { TextKey } from '../i18n';
import { counter, gauge, minus, type Expr } from './expr';

export interface Line {
  expr: Expr;
  /** Its name in the legend; behind the label grouped by, if there is one. */
  text?: TextKey;
  /** A name that is the same in every language. */
  plain?: string;
}

export interface Panel {
  id: string;
  /** The agent's probe that measures it. */
  probe: string;
  title: TextKey;
  unit: Unit;
  lines: readonly Line[];
  stacked?: boolean;
  /** The largest value there can be. */
  max?: number;
  /** What to say of a host on which all is zero. */
  zero?: TextKey;
  /** The order of the groups of a line; others come behind, by name. */
  order?: readonly string[];
}

const realDisks = { device: '!(loop|ram|fd|sr|zram)[0-9]+' };
const realNetworks = { device: '!lo|(veth|docker|br-|virbr|cali|cni|flannel|podman|vnet|tap|lxc).*' };

const disk = (name: string): Expr => counter(`node_disk_${name}_total`, { match: realDisks, by: 'device' });
const network = (name: string): Expr => counter(`node_network_${name}_total`, { match: realNetworks, by: 'device' });
const allNetworks = (name: string): Expr => counter(`node_network_${name}_total`, { match: realNetworks });
const memory = (name: string): Expr => gauge(`node_memory_${name}_bytes`);

/** The plots of a host. */
export const panels: readonly Panel[] = [
  {
    id: 'cpu',
    probe: 'cpu',
    title: 'cpuByMode',
    unit: 'percent',
    stacked: true,
    max: 1,
    lines: [{ expr: counter('node_cpu_seconds_total', { match: { mode: '!idle' }, agg: 'avg', by: 'mode' }) }],
    order: ['user', 'system', 'iowait', 'nice', 'irq', 'softirq', 'steal'],
  },
  {
    id: 'load',
    probe: 'load',
    title: 'loadAverage',
    unit: 'short',
    lines: [
      { expr: gauge('node_load1'), plain: '1m' },
      { expr: gauge('node_load5'), plain: '5m' },
      { expr: gauge('node_load15'), plain: '15m' },
    ],
  },
  {
    id: 'memory',
    probe: 'memory',
    title: 'memory',
    unit: 'bytes',
    stacked: true,
    lines: [
      { expr: minus(memory('MemTotal'), memory('MemAvailable')), text: 'usedSpace' },
      { expr: minus(memory('MemAvailable'), memory('MemFree')), text: 'cached' },
      { expr: memory('MemFree'), text: 'free' },
    ],
  },
  {
    id: 'swap',
    probe: 'memory',
    title: 'swap',
    unit: 'bytes',
    zero: 'noSwap',
    lines: [
      { expr: minus(memory('SwapTotal'), memory('SwapFree')), text: 'usedSpace' },
      { expr: memory('SwapTotal'), text: 'totalSpace' },
    ],
  },
  {
    id: 'network',
    probe: 'network',
    title: 'networkTraffic',
    unit: 'bytesPerSecond',
    lines: [
      { expr: network('receive_bytes'), text: 'receive' },
      { expr: network('transmit_bytes'), text: 'transmit' },
    ],
  },
  {
    id: 'network-errors',
    probe: 'network',
    title: 'networkErrors',
    unit: 'perSecond',
    lines: [
      { expr: allNetworks('receive_errs'), text: 'receiveErrors' },
      { expr: allNetworks('transmit_errs'), text: 'transmitErrors' },
      { expr: allNetworks('receive_drop'), text: 'receiveDrops' },
      { expr: allNetworks('transmit_drop'), text: 'transmitDrops' },
    ],
  },
  {
    id: 'disk-throughput',
    probe: 'disk',
    title: 'diskThroughput',
    unit: 'bytesPerSecond',
    lines: [
      { expr: disk('read_bytes'), text: 'read' },
      { expr: disk('written_bytes'), text: 'write' },
    ],
  },
  {
    id: 'disk-operations',
    probe: 'disk',
    title: 'diskOperations',
    unit: 'perSecond',
    lines: [
      { expr: disk('reads_completed'), text: 'read' },
      { expr: disk('writes_completed'), text: 'write' },
    ],
  },
  {
    id: 'disk-utilisation',
    probe: 'disk',
    title: 'diskUtilisation',
    unit: 'percent',
    max: 1,
    lines: [{ expr: disk('io_time_seconds') }],
  },
];
