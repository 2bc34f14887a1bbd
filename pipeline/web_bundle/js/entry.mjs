export * from 'isomer:entry';
