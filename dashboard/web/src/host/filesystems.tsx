import { bytes, percent } from '../format';
import { useLocale } from '../i18n';
import type { HostSeries } from '../live/series';
import { Meter } from '../meter';

export interface Filesystem {
  mountpoint: string;
  device: string;
  fstype: string;
  size: number;
  available: number;
}

/** The file systems that have a size, by mount point. */
export function filesystemsOf(series: HostSeries): Filesystem[] {
  const available = new Map(series.named('node_filesystem_avail_bytes').map((s) => [keyOf(s.labels), s.value]));
  const list: Filesystem[] = [];
  for (const { labels, value } of series.named('node_filesystem_size_bytes')) {
    const left = available.get(keyOf(labels));
    if (value === null || value <= 0 || left === null || left === undefined) continue;
    const { mountpoint = '', device = '', fstype = '' } = labels;
    list.push({ mountpoint, device, fstype, size: value, available: left });
  }
  return list.sort((a, b) => a.mountpoint.localeCompare(b.mountpoint));
}

const keyOf = (labels: Record<string, string>): string => `${labels['device']}\n${labels['mountpoint']}`;

/** How full the file systems are now. */
export function Filesystems({ series }: { series: HostSeries }) {
  const { t } = useLocale();
  const list = filesystemsOf(series);
  return (
    <section className="panel plot-panel" aria-labelledby="fs-title" data-testid="panel-filesystems">
      <header>
        <h3 id="fs-title" title="node_filesystem_size_bytes, node_filesystem_avail_bytes">
          {t('filesystems')}
        </h3>
      </header>
      {list.length === 0 ? (
        <div className="plot-message dim">{t('noData')}</div>
      ) : (
        <div className="scroll">
          <table className="filesystems">
            <thead>
              <tr>
                <th scope="col">{t('mount')}</th>
                <th scope="col">{t('used')}</th>
                <th scope="col" className="num">
                  {t('available')}
                </th>
                <th scope="col" className="num">
                  {t('size')}
                </th>
                <th scope="col" className="wide">
                  {t('device')}
                </th>
              </tr>
            </thead>
            <tbody>
              {list.map((f) => (
                <FilesystemRow key={keyOf({ device: f.device, mountpoint: f.mountpoint })} filesystem={f} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function FilesystemRow({ filesystem: f }: { filesystem: Filesystem }) {
  const used = 1 - f.available / f.size;
  return (
    <tr data-testid="filesystem-row" data-mountpoint={f.mountpoint}>
      <th scope="row" className="mono">
        {f.mountpoint}
      </th>
      <td className="num used">
        {percent(used)}
        <Meter ratio={used} />
      </td>
      <td className="num">{bytes(f.available)}</td>
      <td className="num">{bytes(f.size)}</td>
      <td className="mono dim wide" title={`${f.device} ${f.fstype}`}>
        {f.device} {f.fstype}
      </td>
    </tr>
  );
}
